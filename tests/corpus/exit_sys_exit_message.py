raise SystemExit("a message, status 1")
