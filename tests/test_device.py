import os

import pytest
import torch

from napari_ptycho import device
from napari_ptycho.errors import JobError


def test_auto_takes_cuda_else_the_cpu_and_apples_gpu_only_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device.pick().type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.pick().type == "cpu"
    assert device.pick("mps").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.pick().type == "cuda"


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.pick("cuda:0").index == 0
    with pytest.raises(JobError, match="'cuda:1' was asked for"):
        device.pick("cuda:1")
    with pytest.raises(JobError, match="'meta' was asked for"):
        device.pick("meta")
    with pytest.raises(JobError, match="no device is called 'gpu'"):
        device.pick("gpu")


def test_threads_are_put_back_even_after_an_error():
    before = torch.get_num_threads()

    def failing():
        with device.threads(before + 1):
            assert torch.get_num_threads() == before + 1
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        failing()
    assert torch.get_num_threads() == before
    with device.threads(None):
        assert torch.get_num_threads() == before


def test_the_window_keeps_a_core():
    assert 1 <= device.window_threads() <= max(1, (os.cpu_count() or 1) - 1)
