# Shortcuts; `just` lists them.

# The main job: the synthetic town from raw posts to a trained, evaluated model.
demo:
    cargo run --release -- demo

# What a change must pass.
test:
    .ci/run

# Kernel speed on this machine.
bench:
    cargo bench -p quintet-kernels
