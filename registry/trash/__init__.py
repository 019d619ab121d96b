"""The trash, as an operator sees it: deleting repositories, and undeleting."""
