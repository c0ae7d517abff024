"""Where the beamlines keep frames, positions and the experiment, one row for each kind of file."""

from napari_ptycho.io.beamline import Beamline, Value
from napari_ptycho.io.tracks import Track

APS_PILATUS = "entry/instrument/NDAttributes"

DIAMOND = (
    Beamline(
        title="Diamond I14",
        frames=("entry/*_addetector/data",),
        needs=("entry/diamond_scan",),
        tracks=(
            Track("entry/instrument/SampleY/value", "entry/instrument/SampleX/value", "mm"),
            Track("entry/*_addetector/SampleY_value", "entry/*_addetector/SampleX_value", "mm"),
            Track(
                "entry/*_addetector/SampleY_value_set", "entry/*_addetector/SampleX_value_set", "mm"
            ),
            Track("entry/instrument/SampleY/value_set", "entry/instrument/SampleX/value_set", "mm"),
        ),
        distance=(
            Value("entry/instrument/scannables/excalibur_z/value", "mm"),
            Value("entry/instrument/detectors/excalibur_z", "mm"),
            Value("entry/instrument/detectors/excalibur_z/value", "mm"),
        ),
        mask="entry/mask/mask",
    ),
    Beamline(
        title="Diamond I08-1 (J08), preprocessed",
        frames=("processed/result/data",),
        needs=("processed/result/posx", "processed/result/posy"),
        tracks=(
            Track("processed/result/posy", "processed/result/posx"),
            Track("processed/result/posy*set*", "processed/result/posx*set*"),
        ),
        stacked=("processed/result/recorded_energy", "processed/result/energy"),
    ),
    Beamline(
        title="Diamond I08",
        frames=("entry1/instrument/_andorrastor/data",),
        tracks=(Track("entry1/Counter1/sample_y", "entry1/Counter1/sample_x"),),
        apart="they are in the STXM file of the same scan (entry1/Counter1/sample_x and sample_y)",
        energy=(Value("entry1/Counter1/photon_energy"),),
    ),
    Beamline(
        title="Diamond I13-1",
        frames=(
            "entry1/instrument/merlin_sw_hdf/data",
            "entry1/instrument/excalibur*/data",
            "entry1/instrument/merlin*/data",
            "entry1/instrument/eiger*/data",
            "entry1/instrument/pil*/data",
        ),
        tracks=(
            Track("entry1/instrument/lab_sxy/lab_sy", "entry1/instrument/lab_sxy/lab_sx", "um"),
            Track("entry1/instrument/t1_sxy*/t1_sy", "entry1/instrument/t1_sxy*/t1_sx", "um"),
            Track(
                "entry1/instrument/t1_pi_ly/t1_pi_ly",
                "entry1/instrument/t1_pi_lx/t1_pi_lx",
                "um",
                note="Files of September 2018 have t1_pi_lx and t1_pi_ly exchanged; if yours is "
                "one of them, set the order of the positions to xy.",
            ),
        ),
        apart="the stages lab_sxy, t1_sxy and t1_pi are not in it",
        distance=(
            Value("entry1/before_scan/t2/t2_z", "mm"),
            Value("entry1/instrument/before_scan/t2/t2_z", "mm"),
        ),
        monitor="entry1/instrument/ionc_i/ionc_i",
        stacked=("entry1/instrument/t1_theta/t1_theta",),
    ),
    Beamline(
        title="Diamond I13-1, tomography",
        frames=("data/frames",),
        needs=("data/scan",),
        beside="positions_{index}.h5",
        apart="they are in positions_0.h5 (one for each angle) beside pty_tomo.h5",
        stacked=("data/scan",),
    ),
    Beamline(
        title="Diamond, exported",
        frames=("data",),
        needs=("posx", "posy"),
        tracks=(Track("posy", "posx", "mm"),),
        energy=(Value("energy", "keV"),),
        distance=(Value("distance", "mm"),),
        pixel=(Value("psize", "m"),),
        mask="mask",
        stacked=("recorded_energy",),
    ),
)

APS = (
    Beamline(
        title="APS 31-ID (LYNX)",
        frames=("entry/data/eiger_4",),
        apart="they are in a .dat file with columns such as Average_x_st_fzp",
        energy=(Value("entry/data/eiger_4@Photon_energy_kev", "keV"),),
        distance=(Value("entry/data/eiger_4@Detector_distance_m", "m"),),
        pixel=(Value("entry/data/eiger_4@Pixel_size", "m"),),
        centre=(
            Value("entry/data/eiger_4@Center_y_pixel"),
            Value("entry/data/eiger_4@Center_x_pixel"),
        ),
        layout={"bad_values": "4095"},
        notes=("In files of LYNX the value 4095 marks gaps of the detector.",),
    ),
    Beamline(
        title="APS 4-ID (Polar)",
        frames=("entry/externals/eiger",),
        tracks=(Track(f"{APS_PILATUS}/Ypos", f"{APS_PILATUS}/Xpos", "um"),),
        apart="they are in another file, as entry/instrument/NDAttributes/Xpos and Ypos",
    ),
    Beamline(
        title="APS 9-ID (CSSI)",
        frames=("exchange/data",),
        needs=("exchange/motor_pos",),
        tracks=(Track("exchange/motor_pos", unit="mm", order="xy"),),
    ),
    Beamline(
        title="APS 19-ID (ISN)",
        frames=("PTYCHO/*",),
        needs=("configs/det_dist_mm",),
        apart="they are in another file",
        energy=(Value("configs/photon_energy_eV", "eV"),),
        distance=(Value("configs/det_dist_mm"),),
        pixel=(Value("configs/pix_size_y"), Value("configs/pix_size_x")),
        joined=True,
    ),
)

NSLS = (
    Beamline(
        title="NSLS-II HXN (ptycho_gui)",
        frames=("diffamp",),
        tracks=(Track("points", unit="um"),),
        apart="they should be in it as points",
        energy=(Value("lambda_nm", "nm"),),
        distance=(Value("z_m", "m"),),
        pixel=(Value("ccd_pixel_um", "um"),),
        layout={"values": "amplitude", "zero_frequency": "corner"},
        notes=(
            "Files of ptycho_gui (diffamp) hold amplitudes with zero frequency at the corner, "
            "divided by the ion chamber, below a threshold set to 0.",
            "Their frames are stored turned by 90 degrees: the rows of the picture go along the "
            "first of `points`, x.",
        ),
    ),
    Beamline(
        title="NSLS-II HXN (holoptycho)",
        frames=("dp",),
        needs=("points",),
        tracks=(
            Track(
                "points",
                unit="um",
                note="holoptycho writes the slow axis, y, as the first of `points`, though its "
                "pages say x; if the picture shows it, set the order of the positions to xy.",
            ),
        ),
    ),
    Beamline(
        title="NSLS-II HXN",
        frames=("diff_data/merlin1/det_images", "diff_data/*/det_images", "entry/data/data"),
        needs=("scan/scan_positions",),
        tracks=(Track("scan/scan_positions", unit="um", order="xy"),),
        energy=(Value("scan/energy"),),
    ),
    Beamline(
        title="NSLS-II HXN, MATLAB",
        frames=("det_data",),
        needs=("pos_xy",),
        tracks=(Track("pos_xy", unit="um", order="xy", skip=1),),
        energy=(Value("energy", "keV"),),
        distance=(Value("det_dist", "um"),),
        pixel=(Value("det_pixel_size", "um"),),
        reversed_axes=True,
        notes=("MATLAB wrote the axes of the frames in reverse; they were turned back.",),
    ),
)

OTHERS = (
    Beamline(
        title="SLS cSAXS",
        frames=("entry/data/data",),
        needs=("entry/instrument/eiger_4", "entry/instrument/monochromator"),
        apart="they are in specES1/scan_positions/scan_<number>.dat",
        energy=(Value("entry/instrument/monochromator/energy", "keV"),),
        distance=(Value("entry/instrument/monochromator/distance", "mm"),),
        pixel=(
            Value("entry/instrument/eiger_4/y_pixel_size", "um"),
            Value("entry/instrument/eiger_4/x_pixel_size", "um"),
        ),
    ),
    Beamline(
        title="MAX IV NanoMAX",
        frames=(
            "entry/measurement/eiger*/frames",
            "entry/measurement/merlin*/frames",
            "entry/measurement/pil*/frames",
            "entry/measurement/[Ee]iger*/data",
            "entry/measurement/*/[0-9][0-9][0-9][0-9][0-9][0-9]",
            "[0-9][0-9][0-9][0-9][0-9][0-9]/measurement/*/data",
        ),
        tracks=(
            Track("entry/measurement/pseudo/y", "entry/measurement/pseudo/x", "um"),
            Track("entry/measurement/npoint_buff/y", "entry/measurement/npoint_buff/x", "um"),
        ),
        apart="they are in the file of the scan, as entry/measurement/pseudo/x and y",
        energy=(Value("entry/snapshot/energy", "eV"),),
        monitor="entry/measurement/I0",
        joined=True,
    ),
    Beamline(
        title="LCLS XPP",
        frames=("jungfrau1M/image_img",),
        tracks=(
            Track(
                "lmc/ch05",
                "lmc/ch03",
                "um",
                signs=(-1.0, -1.0),
                note="x is lmc/ch03 alone: of a turned sample, ch04 has a part in it.",
            ),
        ),
        apart="the stages lmc/ch03 and ch05 are not in it",
        monitor="ipm2/sum",
    ),
    Beamline(
        title="ESRF ID16A",
        frames=("*/ptycho/data",),
        tracks=(
            Track("*/ptycho/motors", unit="um", signs=(-1.0, 1.0)),
            Track("*/ptycho/motors/spz", "*/ptycho/motors/spy", "um", signs=(-1.0, 1.0)),
        ),
        apart="the motors are not in it as <entry>/ptycho/motors",
        notes=(
            "Frames of ID16A are stored upside down; the sign of y was turned instead. The maps "
            "of the detector's distortion are not applied.",
        ),
    ),
    Beamline(
        title="SOLEIL SWING",
        frames=("*/scan_data/data_*", "*/scan_data/*eiger*", "*/scan_data/*image*"),
        needs=("*/scan_data/tz4", "*/scan_data/tx4"),
        tracks=(Track("*/scan_data/tz4", "*/scan_data/tx4", "mm"),),
    ),
)

BEAMLINES: tuple[Beamline, ...] = (*DIAMOND, *APS, *NSLS, *OTHERS)
"""In the order in which they are asked; the ones with names that others have too come last."""
