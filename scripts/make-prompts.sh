#!/bin/bash
# Makes the voices' folders from text: make-prompts.sh [OUT [CONFIG]]
#
# CONFIG is config/hotline, OUT its folder prompts, unless they are given.
#
#   OUT/zh/*.wav, OUT/en/*.wav   8 kHz, mono, 16 bit; what the switch plays
#   CONFIG/prompts/{zh,en}.txt   name TAB text [TAB sound of Debian's Asterisk recordings]
#   CONFIG/prompts/studio/{zh,en}/NAME.wav   a studio recording, taken as it is instead of the text
#
# Only what changed is made again: OUT/LANG/.made/NAME remembers from what NAME.wav was made.
# Needs: espeak-ng, sox; asterisk-core-sounds-en-wav if it is there.
set -euo pipefail

config=${2:-$(dirname "$0")/../config/hotline}/prompts
out=${1:-$config}
export asterisk=/usr/share/asterisk/sounds/en_US_f_Allison
export recipe=1 # raise it when the commands below change

for tool in espeak-ng sox; do
    command -v "$tool" >/dev/null || { echo "make-prompts: $tool is missing: apt-get install espeak-ng sox asterisk-core-sounds-en-wav" >&2; exit 1; }
done

# Telephone speech: no dither (the same input gives the same file), no silence at the ends, a common loudness.
trim='silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse pad 0.02 0.04'
export trim

# One prompt: FOLDER NAME SOURCE TEXT
make_one() {
    local folder=$1 name=$2 source=$3 text=$4
    local wav=$folder/$name.wav made=$folder/.made/$name key part
    key="$recipe $source $text"
    [[ -e $source ]] && key+=" $(stat -c %Y.%s "$source")"
    [[ -f $wav && -f $made && $(<"$made") == "$key" ]] && return 0
    part=$folder/.made/$name.part.wav
    rm -f "$wav" "$made"
    case $source in
    studio:*) cp "${source#studio:}" "$part" ;;
    tone:*) tone "${source#tone:}" "$part" ;;
    */studio/*) cp "$source" "$part" ;;
    *.wav) sox -V1 -D "$source" -c 1 -b 16 "$part" rate -v 8000 $trim norm -3 ;;
    espeak:*)
        espeak-ng -v "${source##*:}" -s "$(cut -d: -f2 <<<"$source")" -w "$part.raw.wav" -- "$text"
        sox -V1 -D -v 0.5 "$part.raw.wav" -c 1 -b 16 "$part" rate -v 8000 highpass 150 $trim norm -3
        rm -f "$part.raw.wav"
        ;;
    esac
    mv "$part" "$wav"
    printf '%s' "$key" >"$made"
    echo "$wav"
}

# Sounds that are no words. China's tones are 450 Hz: ringback 1 s on, 4 s off; busy 0.35 s on and off.
tone() {
    local name=$1 file=$2
    local wave=(-V1 -D -n -r 8000 -c 1 -b 16)
    case $name in
    beep) sox "${wave[@]}" "$file" synth 0.3 sine 880 fade q 0.01 0.3 0.05 gain -12 ;;
    ringback) sox "${wave[@]}" "$file" synth 1 sine 450 fade t 0.01 1 0.01 gain -14 pad 0 4 ;;
    busy) sox "${wave[@]}" "$file" synth 0.35 sine 450 fade t 0.01 0.35 0.01 gain -14 pad 0 0.35 repeat 9 ;;
    silence) sox "${wave[@]}" "$file" trim 0 1 ;;
    music) music "$file" ;;
    esac
}

# Hold music, 38.4 s, made to loop: slow broken chords of soft sines over a quiet pad, each note fading out before the seam.
music() {
    local file=$1 dir chord bar=0 note at n bars=()
    dir=$(mktemp -d)
    for chord in "C3 E4 G4 C5 E5" "A2 E4 A4 C5 E5" "F3 F4 A4 C5 F5" "G3 D4 G4 B4 D5" "E3 E4 G4 B4 E5" "A2 C4 E4 A4 C5" "D3 F4 A4 D5 F5" "G3 D4 F4 B4 D5"; do
        read -r -a note <<<"$chord"
        local voices=()
        for n in 0 1 2 3 4 3 2 1; do
            at=$(awk -v n=${#voices[@]} 'BEGIN { print n / 2 * 0.6 }')
            # Every voice is one note that starts later than the one before.
            sox -V1 -D -n -r 8000 -c 1 -b 16 "$dir/v$bar.${#voices[@]}.wav" \
                synth 1.6 sine "$(hertz "${note[$n]}")" fade l 0.02 1.6 1.4 gain -12 pad "$at" 0
            voices+=("-v" "$dir/v$bar.${#voices[@]}.wav")
        done
        local mix=()
        for n in "${voices[@]}"; do [[ $n == -v ]] || mix+=("$n"); done
        sox -V1 -D -n -r 8000 -c 1 -b 16 "$dir/pad$bar.wav" \
            synth 4.8 sine "$(hertz "${note[0]}")" synth 4.8 sine mix "$(hertz "${note[1]}")" fade t 0.6 4.8 0.8 gain -16
        sox -V1 -D -m "${mix[@]}" "$dir/pad$bar.wav" "$dir/bar$bar.wav" trim 0 4.8 gain 12
        bars+=("$dir/bar$bar.wav")
        bar=$((bar + 1))
    done
    sox -V1 -D "${bars[@]}" -r 8000 -c 1 -b 16 "$file" lowpass 3000 norm -9
    rm -r "$dir"
}

# C4 -> 261.63
hertz() {
    awk -v note="$1" 'BEGIN {
        step = index("C D EF G A B", substr(note, 1, 1)) - 1
        print 440 * 2 ^ ((step - 9 + 12 * (substr(note, 2) - 4)) / 12)
    }'
}
export -f make_one tone music hertz

# Every prompt of a voice as NUL-separated arguments of make_one.
plan() {
    local voice=$1 espeak=$2 speed=$3 folder=$out/$1 name text sound studio
    while IFS=$'\t' read -r name text sound; do
        [[ -z $name || $name == \#* ]] && continue
        studio=$config/studio/$voice/$name.wav
        if [[ -f $studio ]]; then
            printf '%s\0' "$folder" "$name" "$studio" ''
        elif [[ -n $sound && -f $asterisk/$sound.wav ]]; then
            printf '%s\0' "$folder" "$name" "$asterisk/$sound.wav" ''
        else
            printf '%s\0' "$folder" "$name" "espeak:$speed:$espeak" "$text"
        fi
    done <"$config/$voice.txt"
    for name in beep busy music ringback silence; do
        studio=$config/studio/$voice/$name.wav
        if [[ -f $studio ]]; then
            printf '%s\0' "$folder" "$name" "$studio" ''
        else
            printf '%s\0' "$folder" "$name" "tone:$name" ''
        fi
    done
}

for voice in "zh cmn 240" "en en-us 165"; do
    read -r name espeak speed <<<"$voice"
    mkdir -p "$out/$name/.made"
    plan "$name" "$espeak" "$speed" >"$out/$name/.made/.plan"
    # What no table names any more goes.
    for made in "$out/$name/.made"/*; do
        old=${made##*/}
        [[ -f $made ]] && ! grep -qzxF -- "$old" "$out/$name/.made/.plan" && rm -f "$made" "$out/$name/$old.wav"
    done
    xargs -0 -n 4 -P 2 bash -euo pipefail -c 'make_one "$@"' make_one <"$out/$name/.made/.plan" >"$out/$name/.made/.log"
    echo "$out/$name: $(find "$out/$name" -maxdepth 1 -name '*.wav' | wc -l) prompts, $(wc -l <"$out/$name/.made/.log") made now"
done
