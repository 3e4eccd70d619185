"""How good a motion is: metrics, synthetic scenes with ground truth, benchmarks."""
