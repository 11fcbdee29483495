"""What tests of several folders share: clocks, stores and builders. Typed as strictly as the packages."""
