import { posix } from 'node:path';
import { allOrNothing, quoteWord } from '../../host/quote.js';

/** Seconds without a beat after which a relay takes everything of itself away. */
const RELAY_PATIENCE_SECONDS = 30;
/** What a beat is on the relay's stdin. */
export const BEAT = '.';

/** A blob in the stream; `keep` where this host lacks it, else it only passes through. */
interface RelayedBlob {
  sha256: string;
  /** Bytes. */
  size: number;
  keep: boolean;
}

export interface RelayOptions {
  /** Unique: names everything that the relay makes. */
  id: string;
  /** Where verified blobs go, named by their digest. */
  directory: string;
  /** The stream, in order. */
  blobs: readonly RelayedBlob[];
  /** Takes the stream from the host before; absent on the first one, which gets it from keelson. */
  inlet?: {
    /** Address that the host before reaches this one at. */
    address: string;
    /** Tried in turn until one is free. */
    ports: readonly number[];
    /** PEM of the server's own key. */
    hostKey: string;
    /** Public key of whoever may connect. */
    clientKey: string;
  };
  /** PEM of the key that the host after it accepts. */
  clientKey: string;
}

/** Everything of a relay: gone when it ends. */
export const relayDirectory = (id: string): string => `/run/keelson-relay-${id}`;

/**
 * What each host of a chain runs (POSIX sh with coreutils, and OpenSSH). Its stdin first has a line that names the
 * host after it, `ADDRESS PORT KEYTYPE KEY`, or `-`; from then on beats, and it ends when they do. Prints
 *
 *     leaf           this host has no ssh, and can feed nobody
 *     ready PORT     the stream may come (0: from keelson)
 *     have SHA256    verified, and in its place
 *     lost SHA256    what came was something else, or not all of it; nothing of it was kept, and nothing follows
 *     next TEXT      the host after it is not fed any more; it had everything where TEXT is `done`
 *     end            the stream is through
 */
export function relayScript({ id, directory, blobs, inlet, clientKey }: RelayOptions): string {
  const dir = relayDirectory(id);
  const lines = [
    'LC_ALL=C; export LC_ALL; umask 077; PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin',
    `d=${dir} store=${quoteWord(directory)}`,
    'end() {',
    "  trap '' HUP INT TERM PIPE",
    '  [ -s "$d/inlet" ] && kill "$(cat "$d/inlet")" 2>/dev/null',
    `  rm -rf -- "$d" "$store"/.${id}-*`,
    '  kill -s TERM 0',
    '}',
    'mkdir -- "$d" || exit 1',
    "trap end EXIT; trap 'exit 1' HUP INT TERM PIPE",
    'mkdir -p -- "$store" && mkfifo "$d/in" "$d/out" || exit 1',
    // What a host left that lost power in the middle.
    'find "$store" -mindepth 1 -maxdepth 1 -name ".*" -mmin +600 -exec rm -rf {} + 2>/dev/null',
    "if command -v openssl >/dev/null; then sum='openssl dgst -sha256 -r'; else sum='sha256sum'; fi",
    ...file('feed', FEED, dir),
    ...file(
      'blobs',
      blobs.map(({ sha256, size, keep }) => `${sha256} ${size} ${keep ? 'keep' : 'pass'}\n`).join(''),
      dir,
    ),
    ...file('key', clientKey, dir),
    'take() {',
    '  while read -r sha size what <&3; do',
    '    if [ $what = pass ]; then dd bs=1048576 iflag=fullblock,count_bytes count=$size of=/dev/null 2>/dev/null; continue; fi',
    `    new=$store/.${id}-$sha`,
    '    found=$(dd bs=1048576 iflag=fullblock,count_bytes count=$size 2>/dev/null | tee "$new" | $sum)',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's.
    '    if [ "${found%% *}" = $sha ] && [ "$(stat -c %s "$new")" = $size ] && mv -f "$new" "$store/$sha"; then echo "have $sha"',
    '    else rm -f "$new"; echo "lost $sha"; break; fi',
    '  done 3<"$d/blobs"',
    '  cat >/dev/null',
    '  echo end',
    '}',
    'command -v ssh >/dev/null || echo leaf',
    ...(inlet === undefined ? ['echo ready 0'] : openInlet(inlet, dir)),
    'read -r address port key || exit 1',
    'if [ "$address" = - ]; then take <"$d/in" &',
    'else',
    '  echo "next $key" >"$d/known"',
    '  {',
    `    ssh -F none -p "$port" -i "$d/key" ${SSH_OPTIONS.map((option) => `-o ${option}`).join(' ')} -o UserKnownHostsFile="$d/known" "root@$address" feed <"$d/out" >/dev/null 2>"$d/ssh.log"`,
    '    code=$?',
    '    if [ $code = 0 ]; then echo next done; else echo "next $code $(tail -n 1 "$d/ssh.log" | tr -d "\\r")"; fi',
    '  } &',
    '  tee -p "$d/out" <"$d/in" | take &',
    'fi',
    `while [ "$(timeout --foreground ${RELAY_PATIENCE_SECONDS} head -c 1)" = ${BEAT} ]; do :; done`,
  ];
  return allOrNothing(lines.join('\n'));
}

/** The one connection that a relay takes; its pid is left so that it can be ended. */
const FEED = `d=\${0%/*}
mkdir "$d/taken" || exit 1
echo $$ >"$d/inlet"
exec cat >"$d/in"
`;

const SSH_OPTIONS: readonly string[] = [
  'BatchMode=yes',
  'IdentitiesOnly=yes',
  'IdentityAgent=none',
  'PreferredAuthentications=publickey',
  'StrictHostKeyChecking=yes',
  'HostKeyAlias=next',
  'GlobalKnownHostsFile=/dev/null',
  'ConnectTimeout=5',
  'ServerAliveInterval=5',
  'ServerAliveCountMax=3',
  'LogLevel=ERROR',
];

/** An sshd that lets in whoever has the one key, for the one command. */
function openInlet(
  { address, ports, hostKey, clientKey }: NonNullable<RelayOptions['inlet']>,
  dir: string,
): string[] {
  const config = `ListenAddress ${address.includes(':') ? `[${address}]` : address}
HostKey ${dir}/host-key
AuthorizedKeysFile ${dir}/authorized
PidFile none
StrictModes no
UsePAM yes
AllowUsers root
PermitRootLogin forced-commands-only
AuthenticationMethods publickey
PasswordAuthentication no
AllowTcpForwarding no
X11Forwarding no
PermitTTY no
PermitTunnel no
MaxSessions 1
MaxStartups 3
LoginGraceTime 10
ClientAliveInterval 5
ClientAliveCountMax 3
PrintMotd no
LogLevel INFO
`;
  return [
    ...file('host-key', hostKey, dir),
    ...file('authorized', `restrict,command="sh ${dir}/feed" ${clientKey}\n`, dir),
    ...file('sshd_config', config, dir),
    'sshd=$(command -v sshd) || exit 1',
    'listening=',
    `for port in ${ports.join(' ')}; do`,
    '  "$sshd" -D -e -f "$d/sshd_config" -p $port </dev/null >/dev/null 2>"$d/sshd.log" &',
    '  tries=0',
    '  while [ $tries -lt 100 ]; do',
    '    grep -q "Server listening" "$d/sshd.log" && listening=$port && break 2',
    '    kill -s 0 $! 2>/dev/null && ! grep -q "Cannot bind" "$d/sshd.log" || break',
    '    tries=$((tries + 1)); sleep 0.05',
    '  done',
    '  kill $! 2>/dev/null',
    'done',
    '[ -n "$listening" ] || { tail -n 1 "$d/sshd.log" >&2; exit 1; }',
    'echo "ready $listening"',
  ];
}

/** Lines that write a file below the relay's directory; secrets come with the script, on stdin. */
function file(name: string, content: string, dir: string): string[] {
  const mark = 'KEELSON-END';
  return [`cat >${posix.join(dir, name)} <<'${mark}'`, `${content.replace(/\n$/, '')}`, mark];
}
