#!/usr/bin/env bash
# Makes .venv, installs, and opens napari with the docks and the sample scan loaded. Without a
# display, or with --headless: load, bin, reconstruct, predict, denoise, check and save, no window,
# into demo-output/.
set -euo pipefail
cd "$(dirname "$0")"

headless=no
[ "${1:-}" = "--headless" ] && headless=yes
if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then headless=yes; fi

source ./python.sh
extras="[gui]"
[ $headless = yes ] && extras=""
echo "Installing into .venv (a few minutes the first time) ..."
make_venv .venv --editable ".$extras"
ptycho=.venv/bin/napari-ptycho

if [ $headless = no ]; then
  exec $ptycho --sample siemens-real
fi

out=demo-output
rm -rf "$out" && mkdir "$out"
echo; echo "1. A simulated fly-scan of a Siemens star: load, bin, reconstruct, denoise, check"
$ptycho simulate siemens-star -o "$out/star-scan.h5"
$ptycho bin "$out/star-scan.h5" --size 2x2 -o "$out/star-binned.h5"
$ptycho reconstruct "$out/star-binned.h5" --epochs 30 -o "$out/star.h5" --report "$out/star.png"
$ptycho export "$out/star.h5" -o "$out/star.ome.tif"
$ptycho denoise "$out/star.h5" --scan "$out/star-binned.h5" --architecture arch1-bilinear --iterations 100 -o "$out/star-denoised.h5"
$ptycho frc "$out/star.h5"
$ptycho check "$out/star-denoised.h5" --scan "$out/star-scan.h5" --original "$out/star.h5" -o "$out/check.html"
echo; echo "2. A network's first look, and an engine that goes on from it"
$ptycho simulate star-64 -o "$out/star-64.h5"
$ptycho predict "$out/star-64.h5" --checkpoint ptynet-s -o "$out/predicted.h5" --report "$out/predicted.png"
$ptycho reconstruct "$out/star-64.h5" --start "$out/predicted.h5" --epochs 10 -o "$out/refined.h5" --report "$out/refined.png"
echo; echo "3. A measured Siemens star"
if $ptycho simulate siemens-real -o "$out/real-scan.h5"; then
  $ptycho info "$out/real-scan.h5"
  $ptycho reconstruct "$out/real-scan.h5" --epochs 30 -o "$out/real.h5" --report "$out/real.png"
else
  echo "(left out: it needs the internet once)"
fi
echo; echo "Reports (PNG, HTML) and results (HDF5) are in $out/:"
ls "$out"
