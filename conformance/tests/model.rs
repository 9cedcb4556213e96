//! The suite as a test binary, on the model.

ff_conformance::main!(ff_conformance::ModelHarness::default());
