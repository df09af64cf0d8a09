import hypothesis

# How long an example takes says how busy the machine is, nothing else.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
