.PHONY: demo test test-all coverage bench
demo:
	tools/in-venv rally-magnum-sandbox demo
test:
	tools/in-venv tools/run-tests
test-all:
	tools/in-venv tools/run-tests --all
coverage:
	tools/in-venv tools/run-tests --coverage
bench:
	@tools/in-venv tools/run-bench $(BENCH)
