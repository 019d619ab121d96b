# The registry as a service: no root, one volume, a health check.
FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY requirements.lock ./
RUN python3 -m venv /opt/slipway \
 && /opt/slipway/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY oci oci
COPY registry registry
COPY runner runner
COPY migrations migrations
RUN /opt/slipway/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/slipway --create-home slipway \
 && install -d -o slipway -g slipway -m 0700 /var/lib/slipway/registry
COPY --from=build /opt/slipway /opt/slipway
# So that docker exec runs `registry setup` and `registry gc` on the same root, without a flag.
ENV PATH=/opt/slipway/bin:$PATH PYTHONUNBUFFERED=1 \
    REGISTRY_STORAGE__ROOT=/var/lib/slipway/registry
USER slipway
VOLUME /var/lib/slipway/registry
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["python3", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/readyz', timeout=4)"]
ENTRYPOINT ["registry"]
# Listening beyond the loopback is refused without TLS: set REGISTRY_SERVER__EXTERNAL_URL to the https
# address of the proxy in front, or add --plain-http.  Nobody may do anything before `registry setup`.
CMD ["serve", "--listen", "0.0.0.0:5000", "--root", "/var/lib/slipway/registry"]
