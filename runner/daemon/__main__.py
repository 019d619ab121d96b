"""python -m runner.daemon."""

import sys

from runner.daemon.main import main

sys.exit(main())
