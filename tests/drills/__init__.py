"""Kill, fault and overhead checks: `make drills`. Slow, and timed, so no part of `make test`."""
