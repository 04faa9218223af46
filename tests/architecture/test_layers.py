"""import-linter's contracts, in the test run."""

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.harness.databases import ROOT


def test_the_contracts_are_kept(capsys) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out
