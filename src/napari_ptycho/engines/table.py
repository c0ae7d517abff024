"""Which code runs which options."""

from napari_ptycho.engines import dip, gradient, lsqml, options, pie, projections
from napari_ptycho.engines.method import Method
from napari_ptycho.engines.work import Work

METHODS: dict[type[options.EngineOptions], type[Method]] = {
    options.EpieOptions: pie.Pie,
    options.RpieOptions: pie.Pie,
    options.MpieOptions: pie.Mpie,
    options.DmOptions: projections.Projections,
    options.RaarOptions: projections.Projections,
    options.LsqmlOptions: lsqml.Lsqml,
    options.AdamOptions: gradient.Adam,
    options.LbfgsOptions: gradient.Lbfgs,
    options.DipOptions: dip.Dip,
}


def method_of(work: Work) -> Method:
    """Return the engine that the options ask for, ready for its first epoch."""
    return METHODS[type(work.options)](work)
