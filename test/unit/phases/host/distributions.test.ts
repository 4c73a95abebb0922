import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../../../src/config/load.js';
import type { ClusterConfig } from '../../../../src/config/types.js';
import type { HostPhase } from '../../../../src/engine/phase.js';
import { parseFacts } from '../../../../src/host/facts.js';
import type { FileState, ReadResult } from '../../../../src/host/types.js';
import type { PhaseContext } from '../../../../src/phases/context.js';
import { openFirewall } from '../../../../src/phases/host/firewall.js';
import { hostPackages } from '../../../../src/phases/host/packages.js';
import { selinuxPermissive } from '../../../../src/phases/host/selinux.js';
import { swapOff } from '../../../../src/phases/host/swap.js';
import { firewall } from '../../../../src/phases/preflight/firewall.js';
import { swap } from '../../../../src/phases/preflight/resources.js';
import { selinux } from '../../../../src/phases/preflight/selinux.js';
import { operatingSystem } from '../../../../src/phases/preflight/system.js';
import { tools } from '../../../../src/phases/preflight/tools.js';
import { fakeSession } from '../../workflows/fixture.js';
import { judge } from '../preflight/support.js';
import { FEDORA_43, type HostImage, LEAP_15, ROCKY_9, UBUNTU_24_04 } from './hosts.js';

const SMALL = readFileSync(new URL('../../../../vagrant/small/cluster.yaml', import.meta.url), 'utf8');

/** cp1, w1 and w2, on whose hosts keelson may do everything, or nothing. */
function cluster(asked: boolean): ClusterConfig {
  const preparation =
    '  preparation: {packages: install, swap: disable, selinux: permissive, firewall: open}\n';
  const text = SMALL.replace(/ {2}preparation:\n( {4}.*\n)*/, '').replace(
    '  network:',
    `${preparation}  network:`,
  );
  return parseClusterConfig(asked ? text : text.replace(preparation, ''), { homeDir: '/root' });
}

function seenOf(image: HostImage, probes: Record<string, string>): ReadResult {
  const files = Object.entries(image.files).map(([path, text]): [string, FileState] => {
    const content = Buffer.from(text);
    const state = { path, type: 'file', mode: 0o644, owner: 'root:root', size: content.length } as const;
    return [path, { ...state, mtime: '1.0', content }];
  });
  return {
    files: new Map(files),
    units: new Map(),
    probes: new Map(Object.entries(probes).map(([name, stdout]) => [name, { code: 0, stdout }])),
  };
}

const PHASES: readonly [HostPhase<PhaseContext>, (image: HostImage) => Record<string, string>][] = [
  [hostPackages, ({ probes }) => ({ missing: probes.missing, manager: probes.manager })],
  [swapOff, ({ probes }) => ({ swap: probes.swap })],
  [selinuxPermissive, ({ probes }) => ({ mode: probes.selinux })],
  [openFirewall, ({ probes }) => ({ firewall: probes.firewall })],
];

/** What preflight says where nothing may be changed, then what is planned where everything may. */
function account(image: HostImage, name: string): string {
  const config = cluster(false);
  const host = config.hosts.find((candidate) => candidate.name === name);
  const facts = parseFacts(image.facts, 0, 0);
  const { probes } = image;
  const scene = { config, facts, ...(host === undefined ? {} : { host }) };
  const findings = [
    ...judge(operatingSystem, scene),
    ...judge(tools, { ...scene, probes: { missing: probes.missing, manager: probes.manager } }),
    ...judge(swap, scene),
    ...judge(selinux, { ...scene, probes: { mode: probes.selinux } }),
    ...judge(firewall, { ...scene, probes: { state: probes.firewall } }),
  ].filter(({ check, severity }) => severity !== 'ok' || check === 'OperatingSystem');
  const { context } = fakeSession(cluster(true));
  const changes = PHASES.flatMap(([phase, probesOf]) =>
    phase
      .plan(context, name, seenOf(image, probesOf(image)))
      .changes.map((change) =>
        change.kind === 'file'
          ? `${phase.name} ${change.path}\n${change.diff}`
          : `${phase.name} ${describeOf(change)}`,
      ),
  );
  return [
    '# preflight, where nothing is asked for',
    ...findings.map(
      ({ severity, check, message, remedy }) => `${severity} ${check}: ${message} -> ${remedy}`,
    ),
    '',
    '# plan, where everything is',
    ...changes,
    '',
  ].join('\n');
}

const describeOf = (change: object) => ('summary' in change ? change.summary : JSON.stringify(change));

describe('a host of another distribution', () => {
  it.each([
    ['rocky-9', ROCKY_9, 'cp1'],
    ['fedora-43', FEDORA_43, 'w1'],
    ['opensuse-leap-15.6', LEAP_15, 'w1'],
    ['ubuntu-24.04', UBUNTU_24_04, 'cp1'],
  ])('is prepared with its own tools: %s', async (file, image, name) => {
    await expect(account(image, name)).toMatchFileSnapshot(`golden/${file}.txt`);
  });

  it('is left alone once it is as asked', () => {
    const done: HostImage = {
      ...UBUNTU_24_04,
      files: {
        '/etc/fstab': '/dev/sda1 / ext4 defaults 0 1\n# Off for Kubernetes: /swap.img none swap sw 0 0\n',
      },
      probes: {
        missing: '',
        manager: 'apt-get\n',
        selinux: '0',
        firewall: readFileSync(new URL('testdata/ufw-open-cp1', import.meta.url), 'utf8'),
        swap: '',
      },
    };
    const { context } = fakeSession(cluster(true));
    for (const [phase, probesOf] of PHASES)
      expect(phase.plan(context, 'cp1', seenOf(done, probesOf(done))).standing).toBe('satisfied');
  });

  it('blocks where packages are needed and nobody can install them', () => {
    const { context } = fakeSession(cluster(true));
    const plan = (missing: string) =>
      hostPackages.plan(context, 'cp1', seenOf(UBUNTU_24_04, { missing, manager: '' })).standing;
    expect(plan('tar\nsocat\n')).toBe('blocked');
    expect(plan('socat\n')).toBe('satisfied');
  });

  it('gets its packages from the bundle where that has all of them for its release', () => {
    const { context, fakes } = fakeSession(cluster(true));
    expect(fakes.size).toBeGreaterThan(0);
    const lock = { ...context.bundle.lock };
    const entry = (name: string, os: string) => ({ name, version: '1', os, sha256: '1'.repeat(64), size: 1 });
    const plan = (packages: typeof lock.hostPackages) =>
      hostPackages.plan(
        {
          ...context,
          bundle: { ...context.bundle, lock: { ...lock, hostPackages: packages } },
          facts: new Map([['cp1', parseFacts(UBUNTU_24_04.facts, 0, 0)]]),
        },
        'cp1',
        seenOf(UBUNTU_24_04, { missing: 'conntrack\nsocat\n', manager: 'apt-get\n' }),
      ).changes;
    const here = 'ubuntu-24.04';
    const whole = plan([entry('conntrack', here), entry('libmnl0', here), entry('socat', here)]);
    expect(whole.map((change) => ('path' in change ? change.path : change.kind))).toEqual([
      '/var/lib/keelson/packages/conntrack.deb',
      '/var/lib/keelson/packages/libmnl0.deb',
      '/var/lib/keelson/packages/socat.deb',
      'action',
    ]);
    expect(whole.at(-1)).toMatchObject({ name: 'install-carried', params: { packages: 'conntrack socat' } });
    // Never a part from here and a part from there, and nothing of another release.
    for (const packages of [
      [entry('conntrack', here)],
      [entry('conntrack', 'debian-12'), entry('socat', 'debian-12')],
    ])
      expect(plan(packages)).toMatchObject([{ kind: 'action', name: 'install' }]);
  });

  it('is not touched unless asked', () => {
    const { context } = fakeSession(cluster(false));
    for (const [phase] of PHASES) expect(phase.runIf?.(context)).toBe(false);
  });
});
