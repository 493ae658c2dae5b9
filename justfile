# Shortcuts; `just` lists them.

# The main job: the synthetic town from raw posts to a trained, evaluated model.
demo:
    cargo run --release -- demo

# What a change must pass.
test:
    .ci/run

# The model on a graphics card against the CPU; needs an adapter and a long build (docs/gpu.md).
gpu:
    cargo test --release -p quintet --features wgpu --test gpu_parity -- --nocapture

# Inputs that make a reader of posts panic, for some seconds a target (`list` names them).
fuzz target="all" seconds="20":
    cargo run --release -p quintet-fuzz -- {{target}} {{seconds}}

# Kernel speed on this machine.
bench:
    cargo bench -p quintet-kernels
