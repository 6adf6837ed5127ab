# SPDX-License-Identifier: Apache-2.0 OR MIT
# The image and the compose file, with a real Docker:  make check-image
#
# Needs a docker that we may use ($DOCKER_HOST), `docker compose` or
# docker-compose, and the image debian:bookworm-slim; with none of that name
# and ADIT_DEBIAN=DIR it is made of that folder (debootstrap --variant=minbase
# bookworm DIR).  Ports are the system's choice; what was started goes again.
. "${0%/*}/../checks/lib.sh"

# For what takes a moment: to be healthy takes two checks of ten seconds here.
DEADLINE_S=90

project=adit-test-$$
tree=$plant/tree

skip_all() {
    skip "the image" "$1"
    finish
    exit
}

docker info >/dev/null 2>&1 || skip_all "no docker that we may use"
if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif command -v docker-compose >/dev/null; then
    compose=(docker-compose)
else
    skip_all "no docker compose"
fi
if ! docker image inspect debian:bookworm-slim >/dev/null 2>&1; then
    [ -n "${ADIT_DEBIAN:-}" ] || docker pull -q debian:bookworm-slim \
        >/dev/null 2>&1 || skip_all "no image debian:bookworm-slim"
    [ -z "${ADIT_DEBIAN:-}" ] || tar -C "$ADIT_DEBIAN" -c . |
        docker import - debian:bookworm-slim >/dev/null ||
        skip_all "$ADIT_DEBIAN is no Debian"
fi

c() {
    "${compose[@]}" -p "$project" -f "$tree/docker/compose.yml" \
        --profile monitoring "$@"
}

end() {
    c down -v --timeout 10 >/dev/null 2>&1
    rm -rf "$plant"
}
trap end EXIT

# until_it COMMAND...: true within the deadline.
until_it() {
    local end=$((SECONDS + DEADLINE_S))
    while ! "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

relay_id() { c ps -q relay; }
logs() { docker logs "$(relay_id)" 2>&1; }
says() { logs | grep -qE -- "$1"; }
in_relay() { docker exec "$(relay_id)" "$@"; }
is_health() {
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$(relay_id)")" = "$1" ]
}
address() {
    logs | grep -o '"addr":"/ip4/127[^"]*"' | tail -n 1 | cut -d'"' -f4
}
port_of() { c port "$1" "$2" | sed 's/.*://'; }

# The tree as it is in the commit or tarball, with ports of the system's
# choice, the descriptors that we may give, and a health check in a hurry.
mkdir -p "$tree"
(cd "$abs_top_srcdir" &&
    { git archive HEAD 2>/dev/null || tar -c --exclude='./build*' .; }) |
    tar -C "$tree" -x
sed -i -e 's|"4001:4001/tcp"|"127.0.0.1::4001/tcp"|' \
    -e 's|"127.0.0.1:9090:9090"|"127.0.0.1::9090"|' \
    -e "s|nofile: .*|nofile: $(ulimit -Hn)|" \
    "$tree/docker/compose.yml"
sed -i 's/--interval=30s/--interval=2s/' "$tree/docker/Dockerfile"

# Host networking: what is built here may be without a bridge to the world.
build() {
    docker build -q --network host -f "$tree/docker/Dockerfile" -t aditd \
        "$tree" &&
        docker build -q --network host -f "$tree/docker/prometheus.Dockerfile" \
            -t "${project}_prometheus" -t "$project-prometheus" "$tree/docker"
}
clean "the images are built" build
clean "the relay starts" c up -d --no-build relay
clean "it gets ready" until_it says '"event":"node.ready"'
clean "it is healthy" until_it is_health healthy
clean "it is confined" says '"event":"node.confined","seccomp":"yes"'
logs | grep -q '"event":"node.root"'
ok "it does not say that it is root" $((! $?))
[ "$(in_relay id -u)" = 4001 ]
ok "it is user 4001" $?
in_relay touch /usr/x 2>/dev/null
ok "its root is read-only" $((! $?))
clean "it relays" in_relay adit relay probe "$(address)"
clean "it answers on the port that is published" \
    "$abs_top_builddir/adit" ping -n 1 \
    "/ip4/127.0.0.1/tcp/$(port_of relay 4001)/p2p/$(address | sed 's|.*/p2p/||')"

# Written in place: a bind mount is of the file, not of its name.
sed 's/^node_bytes_s = .*/node_bytes_s = 7MiB/' "$tree/docker/aditd.conf" \
    >"$plant/conf" && cat "$plant/conf" >"$tree/docker/aditd.conf"
clean "it reloads" in_relay adit relay reload
clean "what changed is logged" says \
    '"option":"rate.node_bytes_s","from":"20MiB","to":"7MiB"'
echo 'nonsense' >>"$tree/docker/aditd.conf"
in_relay adit relay reload >"$plant/out" 2>&1
[ $? -ne 0 ] && grep -q '/etc/adit/aditd.conf:[0-9]*: ' "$plant/out"
ok "a bad file is refused, and the line named" $? "$(cat "$plant/out")"
cat "$plant/conf" >"$tree/docker/aditd.conf"

clean "Prometheus starts" c up -d --no-build prometheus
is_up() {
    python3 - "$(port_of prometheus 9090)" <<'P'
import json, sys, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}/api/v1/query?query=up"
rows = json.load(urllib.request.urlopen(url, timeout=5))["data"]["result"]
sys.exit([r["value"][1] for r in rows] != ["1"])
P
}
clean "it scrapes the relay" until_it is_up

before=$(address | sed 's|.*/p2p/||')
clean "the relay stops" docker stop -t 10 "$(relay_id)"
[ "$(docker inspect -f '{{.State.ExitCode}}' "$(relay_id)")" = 0 ]
ok "in order" $?
clean "it starts again" docker start "$(relay_id)"
again() { [ "$(logs | grep -c '"event":"node.start"')" = 2 ]; }
until_it again
[ "$(address | sed 's|.*/p2p/||')" = "$before" ]
ok "as the same peer" $?

# A secret by its name alone.
docker run --rm --entrypoint adit -v "$plant:/out" -u 0 aditd id /out/key \
    >/dev/null && chmod 644 "$plant/key"
secret() {
    docker run --rm -v "$plant/key:/run/secrets/relay.key:ro" aditd \
        --identity.file=relay.key --print-config |
        grep -qx 'file = /run/secrets/relay.key'
}
clean "a secret is found by its name" secret
finish
