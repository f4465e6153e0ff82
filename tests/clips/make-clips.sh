#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the sample clips: one Cluster per two seconds, a clock and a frame
# counter burned in, so that one sees where one is.  The same ffmpeg gives the
# same bytes.  Usage: make-clips.sh [FOLDER], default the folder of this script.
set -eu
out=${1:-$(dirname "$0")}
font=${FONT:-/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf}

test -r "$font" || {
	echo "make-clips.sh: no font at $font: apt install fonts-dejavu-core" >&2
	exit 1
}

card() {
	# %{pts:hms} holds colons, which the filter grammar wants escaped.
	printf '%s' "testsrc2=size=$1:rate=10,format=yuv420p,"
	printf '%s' "drawbox=x=0:y=ih-h:w=iw:h=$2*2.4:color=black@0.8:t=fill,"
	printf '%s' "drawtext=fontfile=$font:fontsize=$2:fontcolor=white:"
	printf '%s' "x=6:y=h-$2*2.2:text='$3  %{pts\:hms}',"
	printf '%s' "drawtext=fontfile=$font:fontsize=$2:fontcolor=yellow:"
	printf '%s' "x=6:y=h-$2*1.1:text='frame %{eif\:n\:d\:4}'"
}

# A keyframe every 20 frames and a Cluster at each; B-frames are not baseline.
h264="-c:v libx264 -profile:v baseline -pix_fmt yuv420p -preset veryslow
	-g 20 -keyint_min 20 -sc_threshold 0 -threads 1"
mkv="-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact
	-cluster_time_limit 4000 -f matroska"

# shellcheck disable=SC2086
ffmpeg -hide_banner -loglevel error -y \
	-f lavfi -i "$(card 320x240 16 front-door)" -t 60 \
	$h264 -crf 35 -an $mkv "$out/front-door.mkv"

# ffmpeg opens a Cluster with the audio packet that spans the keyframe, as many
# producers do; the sound ends early, or its last packet would have a Cluster.
# shellcheck disable=SC2086
ffmpeg -hide_banner -loglevel error -y \
	-f lavfi -i "$(card 160x120 10 lobby)" \
	-f lavfi \
	-i "sine=frequency=330:beep_factor=4:sample_rate=48000:duration=5.9" \
	-t 6 \
	$h264 -crf 35 -c:a libopus -b:a 16k -ac 1 $mkv "$out/lobby.mkv"

ls -l "$out"/*.mkv
