"""serve and check-config: their flags and the access that they print."""

import pytest
from click.testing import CliRunner

from registry.cli.serve import check_config, serve


@pytest.mark.parametrize("listen", ["5000", "localhost:x", "127.0.0.1:70000"])
def test_a_listen_that_is_no_address_is_refused_as_usage(listen: str) -> None:
    result = CliRunner().invoke(serve, ["--listen", listen])

    assert result.exit_code == 2
    assert repr(listen) in result.output


@pytest.mark.parametrize("anonymous", ["none", "pull", "push"])
def test_check_config_prints_the_access_policy(anonymous: str) -> None:
    result = CliRunner().invoke(check_config, env={"REGISTRY_ACCESS__ANONYMOUS": anonymous})

    assert result.exit_code == 0
    assert "127.0.0.1:5000" in result.output
    assert ("callers sign in" in result.output) is (anonymous == "none")
