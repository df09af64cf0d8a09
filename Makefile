.PHONY: demo test test-all coverage mutation bench faults
demo:
	tools/in-venv rally-magnum-sandbox demo
test:
	tools/in-venv tools/run-tests
test-all:
	tools/in-venv tools/run-tests --all
coverage:
	tools/in-venv tools/run-tests --coverage
mutation:
	tools/in-venv python -m tests.mutation
bench:
	@tools/in-venv tools/run-bench $(BENCH)
faults:
	tools/in-venv python -m tests.fault_table $(FAULTS)
