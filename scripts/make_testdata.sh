#!/usr/bin/env bash
# Makes tests/testdata: authorities, leaf certificates, client certificates and CRLs.
#
# Rules:
# - Names of files never change; keys and signatures are new at each run, so a run replaces the whole set.
# - What is meant to be valid is valid from 2020-01-01 to 2049-12-31 (the last day of UTCTime).
# - The authorities' private keys are thrown away. To add a certificate, add a line here and run again.
# - Needs OpenSSL 3.0 or newer. `openssl ca` is used throughout, for it alone takes start and end dates.
set -euo pipefail

openssl version | grep -qE '^OpenSSL ([3-9]|[1-9][0-9])\.' || {
  echo "make_testdata.sh needs OpenSSL 3.0 or newer, found: $(openssl version)" >&2
  exit 1
}

out="$(cd "$(dirname "$0")/.." && pwd)/tests/testdata"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

readonly FROM=20200101000000Z TO=20491231235959Z
readonly OWNER="/O=Reprise TEST ONLY"
mkdir -p server client crl ca authority

cat > openssl.cnf <<'CNF'
[ca]
default_ca = authority

[authority]
dir = $ENV::AUTHORITY
certificate = $dir/cert.pem
private_key = $dir/key.pem
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir/issued
default_md = sha256
default_crl_days = 1
policy = any_name
unique_subject = no
email_in_dn = no
crl_extensions = crl

[any_name]
organizationName = optional
commonName = supplied

[crl]
authorityKeyIdentifier = keyid

[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash

[intermediate]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid

[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $ENV::NAMES

[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CNF
export OPENSSL_CONF="$work/openssl.cnf" AUTHORITY=unset NAMES=DNS:localhost
readonly LOCALHOST="DNS:localhost, IP:127.0.0.1, IP:::1"

# make_key p256|p384|rsa2048|ed25519 FILE: a PKCS#8 key
make_key() {
  case "$1" in
    p256) set -- "$2" EC -pkeyopt ec_paramgen_curve:P-256 ;;
    p384) set -- "$2" EC -pkeyopt ec_paramgen_curve:P-384 ;;
    rsa2048) set -- "$2" RSA -pkeyopt rsa_keygen_bits:2048 ;;
    ed25519) set -- "$2" ED25519 ;;
  esac
  local file="$1"
  shift
  openssl genpkey -algorithm "$@" -out "$file" 2> /dev/null
}

# sign AUTHORITY SECTION KEY COMMON_NAME CERT [FROM [TO]] [more of openssl ca]
sign() {
  local authority="$1" section="$2" key="$3" common_name="$4" cert="$5" from="${6:-$FROM}" to="${7:-$TO}"
  shift $(($# < 7 ? $# : 7))
  openssl req -new -key "$key" -subj "$OWNER/CN=$common_name" -out request.pem
  AUTHORITY="authority/$authority" openssl ca -batch -notext -preserveDN -in request.pem -out "$cert" \
    -extfile openssl.cnf -extensions "$section" -startdate "$from" -enddate "$to" "$@" 2> ca.log || {
    cat ca.log >&2
    return 1
  }
}

# authority NAME KEY_TYPE COMMON_NAME [ISSUER]: without an issuer, a root
authority() {
  local name="$1" dir="authority/$1" issuer="${4:-}"
  mkdir -p "$dir/issued"
  touch "$dir/index.txt"
  echo 1000 > "$dir/serial"
  echo 01 > "$dir/crlnumber"
  make_key "$2" "$dir/key.pem"
  if [ -z "$issuer" ]; then
    sign "$name" root "$dir/key.pem" "$3" "ca/$name.pem" "$FROM" "$TO" -selfsign
  else
    sign "$issuer" intermediate "$dir/key.pem" "$3" "ca/$name.pem"
  fi
  cp "ca/$name.pem" "$dir/cert.pem"
}

# server NAME KEY_TYPE AUTHORITY SUBJECT_ALT_NAMES [FROM TO]
server() {
  make_key "$2" "server/$1.key.pem"
  NAMES="$4" sign "$3" server "server/$1.key.pem" "server $1" "server/$1.pem" "${@:5}"
}

# client NAME KEY_TYPE AUTHORITY [FROM TO]
client() {
  make_key "$2" "client/$1.key.pem"
  sign "$3" client "client/$1.key.pem" "client $1" "client/$1.pem" "${@:4}"
}

# crl AUTHORITY FILE
crl() {
  AUTHORITY="authority/$1" openssl ca -gencrl -crl_lastupdate 20260101000000Z -crl_nextupdate "$TO" -out "$2" 2> ca.log || {
    cat ca.log >&2
    return 1
  }
}

# revoke AUTHORITY CERT: dated 2025-12-01, whatever today is
revoke() {
  AUTHORITY="authority/$1" openssl ca -revoke "$2" -crl_reason keyCompromise 2> /dev/null
  awk -F '\t' -v OFS='\t' '$1 == "R" { $3 = "251201000000Z,keyCompromise" } { print }' \
    "authority/$1/index.txt" > index.new
  mv index.new "authority/$1/index.txt"
}

authority ec p256 "EC CA"
authority rsa rsa2048 "RSA CA"
authority other p256 "other CA"
authority intermediate p256 "intermediate CA" ec
cat ca/ec.pem ca/rsa.pem > ca/ec_and_rsa.pem

server ec_p256 p256 ec "$LOCALHOST"
server ec_p384 p384 ec "$LOCALHOST"
server ed25519 ed25519 ec "$LOCALHOST"
server rsa_2048 rsa2048 rsa "$LOCALHOST"
server other_ca p256 other "$LOCALHOST"
server wrong_name p256 ec "DNS:other.example"
server expired p256 ec "$LOCALHOST" 20200101000000Z 20210101000000Z
server not_yet_valid p256 ec "$LOCALHOST" 20480101000000Z "$TO"
server revoked p256 ec "$LOCALHOST"
server a_example p256 ec "DNS:a.example"
server b_example p256 ec "DNS:b.example"
server via_intermediate p256 intermediate "$LOCALHOST"
cat ca/intermediate.pem >> server/via_intermediate.pem
# The same names and the same key as ec_p256, another certificate.
NAMES="$LOCALHOST" sign ec server server/ec_p256.key.pem "server ec_p256" server/ec_p256_renewed.pem
cp server/ec_p256.key.pem server/ec_p256_renewed.key.pem

client ec p256 ec
openssl pkey -in client/ec.key.pem -traditional -out client/ec.sec1.pem
client rsa rsa2048 rsa
openssl pkey -in client/rsa.key.pem -traditional -out client/rsa.pkcs1.pem
client expired p256 ec 20200101000000Z 20210101000000Z
client revoked p256 ec
client other_ca p256 other

crl ec crl/ec_empty.pem
crl intermediate crl/intermediate_empty.pem
revoke ec server/revoked.pem
revoke ec client/revoked.pem
crl ec crl/ec_revoked.pem

for folder in ca server client crl; do
  mkdir -p "$out/$folder"
  rm -f "$out/$folder"/*.pem
  cp "$folder"/*.pem "$out/$folder/"
  chmod 644 "$out/$folder"/*.pem
done
for cert in "$out"/server/*.pem "$out"/client/*.pem; do
  case "$cert" in *.key.pem | *.sec1.pem | *.pkcs1.pem) continue ;; esac
  openssl verify -no_check_time -CAfile <(cat "$out"/ca/*.pem) "$cert" > /dev/null
done
echo "made $(find "$out" -name '*.pem' | wc -l) files in tests/testdata"
