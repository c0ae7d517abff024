import pytest

from napari_ptycho import io, samples


@pytest.fixture(scope="session")
def star_file(tmp_path_factory):
    """A small simulated scan of 72 frames."""
    options = samples.SampleOptions(lines=8, columns=9, step_nm=200.0)
    path = tmp_path_factory.mktemp("cli") / "star.h5"
    io.write_scan(samples.open_sample("siemens-star", options), path)
    return path
