"""Large blobs through nginx, as docs/proxies.md has it, are written to no disk but the registry's.

A short form: ``scripts/campaign-proxy`` sends 1.1 GiB each way.
"""

from pathlib import Path

import pytest

from tests.campaigns.proxy import proxy_campaign
from tests.support.proxies import PAGE


def test_nginx_passes_large_blobs_on_while_they_come(place: Path) -> None:
    complaints = proxy_campaign(place, mebibytes=24)

    assert complaints == []


@pytest.mark.parametrize("line", ["proxy_request_buffering off;", "proxy_buffering off;"])
def test_without_a_line_of_the_page_nginx_writes_them_down_first(
    place: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    other = place / "proxies.md"
    other.write_text(PAGE.read_text().replace(line, "", 1))
    monkeypatch.setattr("tests.support.proxies.PAGE", other)

    complaints = proxy_campaign(place, mebibytes=24)

    assert any("buffered to a temporary file" in complaint for complaint in complaints)
