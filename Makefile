.PHONY: demo test bench
demo:
	tools/in-venv rally-magnum-sandbox demo
test:
	tools/in-venv tools/run-tests
bench:
	@tools/in-venv tools/run-bench $(BENCH)
