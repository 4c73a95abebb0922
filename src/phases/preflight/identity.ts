import { memberSettings } from '../../config/inventory.js';
import { defineCheck, error, type Outcome, ok, type Subject, warning } from './check.js';

/** Certificates are backdated by five minutes: a clock further behind holds them for not yet valid. */
const SKEW_LIMIT_MS = 300_000;
/** From here on logs of hosts and here can't be read together. */
const SKEW_WARNING_MS = 2_000;
/** etcd warns of members whose clocks are further apart (rafthttp: 1 s). */
const ETCD_SKEW_MS = 1_000;

const NTP = 'synchronise the clocks: systemctl enable --now systemd-timesyncd (or chrony)';

/** Two machines must not have the same of these; '' is unknown. */
function unique(check: string, of: (subject: Subject) => string, what: string, remedy: string) {
  return (subject: Subject, all: readonly Subject[]): Outcome[] => {
    const value = of(subject);
    if (value === '') return [];
    const others = all
      .filter((other) => other.host.name !== subject.host.name && of(other) === value)
      .map(({ host }) => host.name);
    return others.length === 0
      ? [ok(check, `${what} ${value}`)]
      : [error(check, `${what} ${value} is also that of ${others.join(', ')}`, remedy)];
  };
}

export const uniqueHostname = defineCheck({
  id: 'unique-hostname',
  judge: unique(
    'HostnameUnique',
    ({ facts }) => facts.hostname,
    'the hostname',
    'hostnamectl set-hostname NAME on one of them; if they are one machine, list it once',
  ),
});

const uniqueMachineId = unique(
  'MachineID',
  ({ facts }) => facts.machineId,
  'the machine-id',
  'rm /etc/machine-id && systemd-machine-id-setup, then boot again, on the copy',
);

export const machineId = defineCheck({
  id: 'machine-id',
  judge: (subject, all) =>
    subject.facts.machineId === ''
      ? [error('MachineID', '/etc/machine-id is empty', 'systemd-machine-id-setup')]
      : uniqueMachineId(subject, all),
});

export const productUuid = defineCheck({
  id: 'product-uuid',
  judge: unique(
    'ProductUUID',
    ({ facts }) => facts.productUuid,
    'the product_uuid',
    'give each virtual machine a UUID of its own',
  ),
});

export const clockSkew = defineCheck({
  id: 'clock-skew',
  judge: (subject, all) => {
    const name = 'ClockSkew';
    const { clockSkewMs, roundTripMs } = subject.facts;
    // Half of the round trip is the measure's own error.
    const here = Math.max(0, Math.abs(clockSkewMs) - roundTripMs / 2);
    const shown = `${seconds(clockSkewMs)} ${clockSkewMs < 0 ? 'behind' : 'ahead of'} this machine's`;
    if (here >= SKEW_LIMIT_MS)
      return [error(name, `the clock is ${shown}: certificates are not valid there`, NTP)];
    const apart = all
      .filter((other) => other.host.name !== subject.host.name)
      .map((other) => ({ other, ms: distance(subject, other) }))
      .sort((a, b) => b.ms - a.ms);
    const furthest = apart[0];
    if (furthest !== undefined && furthest.ms >= SKEW_LIMIT_MS) {
      const message = `the clock is ${seconds(furthest.ms)} apart from that of ${furthest.other.host.name}`;
      return [error(name, message, NTP)];
    }
    const member = apart.find(({ other, ms }) => ms >= ETCD_SKEW_MS && bothEtcd(subject, other));
    if (member !== undefined) {
      const message = `the clock is ${seconds(member.ms)} apart from that of ${member.other.host.name}: etcd wants less than 1 s`;
      return [warning(name, message, NTP)];
    }
    return here >= SKEW_WARNING_MS
      ? [warning(name, `the clock is ${shown}`, NTP)]
      : [ok(name, `the clock is ${shown}`)];
  },
});

function distance(a: Subject, b: Subject): number {
  const error = (a.facts.roundTripMs + b.facts.roundTripMs) / 2;
  return Math.max(0, Math.abs(a.facts.clockSkewMs - b.facts.clockSkewMs) - error);
}

function bothEtcd(a: Subject, b: Subject): boolean {
  return [a, b].every(({ config, host }) => memberSettings(config.cluster, host) !== undefined);
}

function seconds(ms: number): string {
  const value = Math.abs(ms) / 1000;
  return value < 120 ? `${value.toFixed(1)} s` : `${Math.round(value / 60)} min`;
}
