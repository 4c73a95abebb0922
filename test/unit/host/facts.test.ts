import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { FACTS_SCRIPT, parseFacts } from '../../../src/host/facts.js';

const ANSWER = `clock=1700000010000000000
hostname=cp1
os.id=debian
os.version=12
os.name=Debian GNU/Linux 12 (bookworm)
kernel=6.1.0-18-amd64
architecture=x86_64
cgroup=2
systemd=252
machine-id=abc
product-uuid=4C4C4544-0000
cpus=4
memory=2048
swap=1024
uid=1000
address=eth0 10.0.0.5/24
address=eth0 2001:db8::5/64
address=veth1@if2 10.1.0.1/32
mtu=eth0 9000
mtu=veth1 1450
route=192.0.2.1 via 10.0.0.1 dev eth0 src 10.0.0.5 uid 1000 \\    cache
route6=
clock-end=1700000010020000000
`;

describe('facts', () => {
  it('are read from the answer', () => {
    expect(parseFacts(ANSWER, 1_700_000_000_000, 1_700_000_000_040)).toEqual({
      hostname: 'cp1',
      os: { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
      kernel: '6.1.0-18-amd64',
      architecture: 'x86_64',
      cgroupVersion: 2,
      systemd: 252,
      machineId: 'abc',
      productUuid: '4c4c4544-0000',
      cpus: 4,
      memoryBytes: 2048 * 1024,
      swapBytes: 1024 * 1024,
      clockSkewMs: 9990,
      roundTripMs: 40,
      addresses: [
        { interface: 'eth0', address: '10.0.0.5', prefix: 24, mtu: 9000 },
        { interface: 'eth0', address: '2001:db8::5', prefix: 64, mtu: 9000 },
        { interface: 'veth1', address: '10.1.0.1', prefix: 32, mtu: 1450 },
      ],
      defaultRoute: { interface: 'eth0', address: '10.0.0.5' },
      uid: 1000,
    });
  });

  it('know the clock to the second where `date` has no nanoseconds', () => {
    const answer = ANSWER.replace(/^(clock.*?=\d{10})\d+$/gm, '$1N');
    expect(parseFacts(answer, 1_700_000_000_000, 1_700_000_000_000).clockSkewMs).toBe(10_000);
  });

  it('are refused from an answer that is cut off', () => {
    expect(() => parseFacts(ANSWER.slice(0, 300), 0, 1)).toThrow('did not say its facts');
  });

  it('of this machine are right', () => {
    const sent = Date.now();
    const { stdout } = spawnSync('sh', ['-s'], { input: FACTS_SCRIPT });
    const facts = parseFacts(stdout.toString(), sent, Date.now());
    expect(facts.hostname).toBe(hostname());
    expect(Math.abs(facts.clockSkewMs)).toBeLessThan(1000);
    expect(facts.memoryBytes).toBeGreaterThan(1e8);
  });
});
