"""Settings: `local` for `make run`, `test` for `make test`, `production` for everything else; all build on `base`."""
