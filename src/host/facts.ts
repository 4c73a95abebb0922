import { isIP } from 'node:net';
import { KeelsonError } from '../errors/keelson-error.js';
import type { HostFacts } from './types.js';

/**
 * Prints facts as `key=value` lines. The clock comes first and last, so that the middle of the two is the
 * host's time in the middle of the round trip.
 */
export const FACTS_SCRIPT = `LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
say() { printf '%s=%s\\n' "$1" "$2"; }
line() { [ -r "$2" ] && IFS= read -r v < "$2" && say "$1" "$v"; }
say clock "$(date +%s%N)"
line hostname /proc/sys/kernel/hostname
if [ -r /etc/os-release ]; then . /etc/os-release; say os.id "\${ID-}"; say os.version "\${VERSION_ID-}"; say os.name "\${PRETTY_NAME-}"; fi
set -- $(uname -r -m); say kernel "$1"; say architecture "$2"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then say cgroup 2; else say cgroup 1; fi
say systemd "$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p')"
line machine-id /etc/machine-id
line product-uuid /sys/class/dmi/id/product_uuid 2>/dev/null
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)"
while read -r key value unit; do case $key in MemTotal:) say memory "$value";; SwapTotal:) say swap "$value";; esac; done < /proc/meminfo
say uid "$(id -u)"
ip -o addr show scope global 2>/dev/null | while read -r n interface family address rest; do say address "$interface $address"; done
for d in /sys/class/net/*; do [ -r "$d/mtu" ] && read -r mtu < "$d/mtu" && say mtu "\${d##*/} $mtu"; done
say route "$(ip -o route get 192.0.2.1 2>/dev/null)"
say route6 "$(ip -o -6 route get 2001:db8::1 2>/dev/null)"
say clock-end "$(date +%s%N)"
exit 0
`;

/**
 * Facts from what the script printed.
 * @param sent local milliseconds (Date.now) before the script was sent
 * @param received the same after its answer came
 * Errors: REMOTE_COMMAND where the answer is not that of the script.
 */
export function parseFacts(text: string, sent: number, received: number): HostFacts {
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0)
      values.set(line.slice(0, equals), [
        ...(values.get(line.slice(0, equals)) ?? []),
        line.slice(equals + 1),
      ]);
  }
  const one = (key: string): string => values.get(key)?.[0] ?? '';
  if (one('kernel') === '' || one('clock-end') === '') {
    throw new KeelsonError('REMOTE_COMMAND', 'the host did not say its facts', {
      hint: 'check that it is a Linux host with a POSIX shell',
      details: { stdout: text.slice(0, 500) },
    });
  }
  const mtus = new Map(
    (values.get('mtu') ?? []).map((pair) => [pair.split(' ')[0] ?? '', Number(pair.split(' ')[1])]),
  );
  const addresses = (values.get('address') ?? []).flatMap((pair) => {
    const [name = '', cidr = ''] = pair.split(' ');
    const [address = '', prefix = ''] = cidr.split('/');
    if (isIP(address) === 0) return [];
    const own = name.split('@')[0] ?? name;
    return [
      {
        interface: own,
        address,
        prefix: Number(prefix || (isIP(address) === 4 ? 32 : 128)),
        mtu: mtus.get(own) ?? 0,
      },
    ];
  });
  return {
    hostname: one('hostname'),
    os: { id: one('os.id'), versionId: one('os.version'), prettyName: one('os.name') },
    kernel: one('kernel'),
    architecture: one('architecture'),
    cgroupVersion: one('cgroup') === '2' ? 2 : 1,
    systemd: Number(one('systemd')) || 0,
    machineId: one('machine-id'),
    productUuid: one('product-uuid').toLowerCase(),
    cpus: Number(one('cpus')) || 0,
    memoryBytes: Number(one('memory')) * 1024,
    swapBytes: Number(one('swap')) * 1024,
    clockSkewMs: skew(one('clock'), one('clock-end'), sent, received),
    roundTripMs: received - sent,
    addresses,
    defaultRoute: defaultRoute(one('route')) ?? defaultRoute(one('route6')),
    uid: Number(one('uid')),
  };
}

function skew(first: string, last: string, sent: number, received: number): number {
  const there = (Number(first) + Number(last)) / 2 / 1e6;
  // Where `date` knows no nanoseconds it prints seconds and an `N`.
  if (!Number.isFinite(there)) return Math.round(Number.parseInt(last, 10) * 1000 - (sent + received) / 2);
  return Math.round(there - (sent + received) / 2);
}

function defaultRoute(text: string): HostFacts['defaultRoute'] {
  const device = / dev (\S+)/.exec(text)?.[1];
  const source = / src (\S+)/.exec(text)?.[1];
  if (device === undefined || source === undefined || / lo /.test(text)) return null;
  return { interface: device, address: source };
}
