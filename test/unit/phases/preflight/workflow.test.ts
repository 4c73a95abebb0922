import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../../src/engine/events.js';
import type { ReadRequest, ReadResult } from '../../../../src/host/types.js';
import type { Finding } from '../../../../src/phases/preflight/check.js';
import { withIgnored } from '../../../../src/phases/preflight/ignore.js';
import { findingsTable, runPreflight } from '../../../../src/workflows/preflight.js';
import type { Session } from '../../../../src/workflows/session.js';
import { CP1, CP2, config, W1 } from '../../manifests/fixture.js';
import { FACTS, LOCK } from './support.js';

const finding = (check: string, severity: Finding['severity'], host = 'cp1'): Finding => {
  return { check, severity, host, message: 'm', remedy: 'r' };
};

describe('ignored checks', () => {
  it.each([
    [['port-6443'], 'warning'],
    [[' Port-6443 '], 'warning'],
    [['ALL'], 'warning'],
    [['Port-10250'], 'error'],
    [[], 'error'],
  ])('%j makes it %s', (names, severity) => {
    expect(withIgnored([finding('Port-6443', 'error')], () => names)[0]?.severity).toBe(severity);
  });

  it('may be those of one host', () => {
    const findings = [finding('Swap', 'error', 'cp1'), finding('Swap', 'error', 'w1')];
    const result = withIgnored(findings, (host) => (host === 'w1' ? ['Swap'] : []));
    expect(result.map(({ severity }) => severity)).toEqual(['error', 'warning']);
  });
});

describe('the table of findings', () => {
  it('has errors first, and one line for what is the same on several hosts', () => {
    const findings = [
      finding('A', 'warning'),
      finding('B', 'error'),
      finding('B', 'error', 'w1'),
      finding('C', 'ok'),
    ];
    expect(findingsTable(findings)).toBe(
      'SEVERITY  HOST    CHECK  FINDING  REMEDY\nerror     cp1,w1  B      m        r\nwarning   cp1     A      m        r\n',
    );
    expect(findingsTable(findings, { all: true })).toContain('ok        cp1     C');
  });
});

/** A session whose hosts answer every probe with nothing but what a rule says. */
function session(answers: (host: string, probe: string) => string, more: object = {}) {
  const events: EngineEvent[] = [];
  const reads: string[] = [];
  const cluster = config({ hosts: [CP1, W1], ...more }, { controlPlaneEndpoint: `${CP1.nodeIP}:6443` });
  const hosts = new Map(cluster.hosts.map((host) => [host.name, host]));
  const reader = (name: string) => ({
    name,
    read: async (request: ReadRequest): Promise<ReadResult> => {
      reads.push(name);
      const probes = new Map(
        Object.keys(request.probes ?? {}).map((probe) => {
          const short = probe.replace('\u0001', '/');
          const stdout = answers(name, short);
          return [probe, { code: stdout === '' ? 1 : 0, stdout }] as const;
        }),
      );
      return { files: new Map(), units: new Map(), probes };
    },
  });
  const context = {
    config: cluster,
    bundle: { dir: '', lock: LOCK },
    first: CP1,
    facts: new Map(
      [...hosts].map(([name]) => [name, { ...FACTS, hostname: name, machineId: name, addresses: [] }]),
    ),
    inventory: cluster.hosts.map(({ name, role }) => ({ name, role })),
    signal: new AbortController().signal,
    hostNamed: (name: string) => hosts.get(name),
  };
  const made = {
    context,
    readers: new Map([...hosts.keys()].map((name) => [name, reader(name)])),
    emit: (event: EngineEvent) => events.push(event),
  };
  return { session: made as unknown as Session, events, reads };
}

const GOOD: Record<string, string> = {
  'systemd/running': 'yes',
  'privileged/uid': '0',
  'system-verification/controllers': 'cpu cpuset memory pids',
  'kernel-modules/states': 'br_netfilter there\noverlay there\nnf_conntrack there\nvxlan there',
  'sysctls/values':
    'net.ipv4.ip_forward 0 w\nfs.inotify.max_user_instances 128 w\nfs.inotify.max_user_watches 8192 w',
};
const good = (host: string, probe: string) =>
  probe === 'node-name/addresses' ? `${host === 'cp1' ? CP1.nodeIP : W1.nodeIP}\n` : (GOOD[probe] ?? '');

describe('runPreflight', () => {
  it('finds nothing against sound hosts, in two round trips each', async () => {
    const { session: open, events, reads } = session(good);
    const findings = await runPreflight(open);
    expect(findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(findings.length).toBeGreaterThan(40);
    expect(events).toEqual([]);
    expect(reads.sort()).toEqual(['cp1', 'cp1', 'w1', 'w1']);
  });

  it('lets a check compare what its probes found on several hosts', async () => {
    const endpoint = {
      provider: 'keepalived-haproxy',
      address: '10.88.0.10',
      port: 8443,
      virtualRouterId: 51,
    };
    const virtual = { hosts: [CP1, CP2], spec: { ...config().spec, endpoint } };
    const used = async (cp1: string) => {
      const { session: open } = session((host, probe) => {
        if (probe === 'virtual-address/answers') return host === 'cp1' ? cp1 : 'used\n';
        return probe === 'node-name/addresses' && host === 'cp2' ? `${CP2.nodeIP}\n` : good(host, probe);
      }, virtual);
      const findings = await runPreflight(open, { ignore: ['all'] });
      return findings.filter(({ host, message }) => host === 'cp2' && message.includes('in use')).length;
    };
    expect(await used('')).toBe(1);
    expect(await used('ours\n')).toBe(0);
  });

  it('asks members once only', async () => {
    const { session: open, reads } = session((host, probe) =>
      probe === 'standing/journal' ? 'yes\n' : good(host, probe),
    );
    await runPreflight(open);
    expect(reads.sort()).toEqual(['cp1', 'w1']);
  });

  const broken = (host: string, probe: string) =>
    probe === 'tools/missing' ? 'losetup\n' : probe === 'node-name/addresses' ? '' : good(host, probe);

  it('refuses with all findings of all hosts, and exit code 4', async () => {
    const { session: open, events } = session(broken);
    const error = await runPreflight(open).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'PREFLIGHT',
      message: expect.stringMatching(
        /2 errors on cp1, w1, nothing was changed[\s\S]*cp1,w1 +FileExisting-losetup/,
      ),
      hint: expect.stringContaining('--ignore-preflight-errors FileExisting-losetup'),
      details: {
        findings: expect.arrayContaining([expect.objectContaining({ host: 'w1', severity: 'error' })]),
      },
    });
    expect(events).toEqual([]);
  });

  it('tells warnings, also those of ignored checks, and goes on', async () => {
    const { session: open, events } = session(broken);
    const findings = await runPreflight(open, { ignore: ['fileexisting-LOSETUP'] });
    expect(findings.some(({ severity }) => severity === 'error')).toBe(false);
    expect(events).toContainEqual({
      type: 'note',
      host: '',
      level: 'warning',
      text: expect.stringMatching(/^FileExisting-losetup \(cp1, w1\): losetup is not in the path/),
    });
    expect(events).toContainEqual(
      expect.objectContaining({ host: 'w1', text: expect.stringMatching(/^Hostname: /) }),
    );
  });

  it('ignores what the cluster file ignores', async () => {
    const { session: open } = session(broken, { spec: { ...config().spec, ignorePreflightErrors: ['all'] } });
    await expect(runPreflight(open)).resolves.toBeDefined();
  });

  it('speaks of the hosts that it is asked for', async () => {
    const { session: open } = session((host, probe) =>
      host === 'w1' ? broken(host, probe) : good(host, probe),
    );
    const findings = await runPreflight(open, { hosts: ['cp1'] });
    expect(new Set(findings.map(({ host }) => host))).toEqual(new Set(['cp1']));
  });
});
