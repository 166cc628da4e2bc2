#!/usr/bin/env bash
# Installs what a rebuild of the engine needs: compilers, wasm-pack and wasm-bindgen.
#
# Rules:
# - Says and does nothing that is done already: a second run takes a second.
# - Debian's packages where apt has them (the canonical toolchain), else rustup's target.
# - Versions stand in scripts/wasm/versions.ts alone.
# - wasm-pack and wasm-bindgen go into a folder of their own in the user's cache, never on PATH.
# - Deno, and Node for npx, are the reader's: this only says if they are missing.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"

version() { sed -n "s/^export const $1 = \"\(.*\)\";\$/\1/p" "$here/wasm/versions.ts"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# --- Compilers ---

llvm="$(version LLVM)"
debian_packages=(rustc-web cargo-web rust-web-src "lld-$llvm" "clang-$llvm" "llvm-$llvm")

has_packages() {
  command -v dpkg-query >/dev/null || return 1
  # shellcheck disable=SC2016 # the format is dpkg's
  [ "$(dpkg-query -W -f '${db:Status-Abbrev}\n' "${debian_packages[@]}" 2>/dev/null | grep -c '^ii')" \
    = "${#debian_packages[@]}" ]
}

apt_has_packages() {
  command -v apt-get >/dev/null || return 1
  # shellcheck disable=SC2086 # one name a word
  [ "$(apt-cache --quiet=0 madison ${debian_packages[*]} 2>/dev/null | cut -d'|' -f1 | sort -u | grep -c .)" \
    = "${#debian_packages[@]}" ]
}

if has_packages; then
  debian=yes
elif command -v apt-get >/dev/null && { apt_has_packages || { as_root apt-get update -q && apt_has_packages; }; }; then
  as_root apt-get install -y --no-remove --no-install-recommends "${debian_packages[@]}"
  debian=yes
else
  debian=no
fi

if [ "$debian" = yes ]; then
  cargo=/usr/bin/cargo
  export PATH="/usr/bin:$PATH" RUSTC=/usr/bin/rustc
  # wasm-pack wants the folder of the target's std, although std is built from source.
  target="$(/usr/bin/rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown/lib"
  [ -d "$target" ] || as_root mkdir -p "$target"
else
  cargo=cargo
  if ! command -v rustup >/dev/null; then
    echo "Neither Debian's rustc-web nor rustup is here; install one of them" >&2
    exit 1
  fi
  # In the crate's folder, where rust-toolchain.toml is heeded.
  (cd "$here/../wasm" && rustup target add wasm32-unknown-unknown)
  if ! command -v clang >/dev/null; then
    echo "clang is missing; it compiles ring's C for wasm32" >&2
    exit 1
  fi
fi

# --- wasm-pack and wasm-bindgen ---

wasm_pack="$(version WASM_PACK)"
wasm_bindgen="$(version WASM_BINDGEN)"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/reprise/wasm-pack-$wasm_pack-wasm-bindgen-$wasm_bindgen"

install_tool() { # program, crate, version, more arguments
  [ -x "$tools/bin/$1" ] && return
  mkdir -p "$tools"
  # Outside the crate's folder, whose toolchain file is for the engine.
  (cd "$tools" && "$cargo" install "$2" --version "=$3" --no-default-features --root "$tools" "${@:4}")
}

install_tool wasm-pack wasm-pack "$wasm_pack" --locked
# Not --locked: its lock names a version that the registry no longer has.
install_tool wasm-bindgen wasm-bindgen-cli "$wasm_bindgen"

for program in deno npx; do
  command -v "$program" >/dev/null || echo "note: $program is missing; the build scripts need it" >&2
done
