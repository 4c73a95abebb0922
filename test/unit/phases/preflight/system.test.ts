import { describe, expect, it } from 'vitest';
import {
  architecture,
  nodeAddress,
  operatingSystem,
  privileged,
  systemd,
  systemVerification,
} from '../../../../src/phases/preflight/system.js';
import { config } from '../../manifests/fixture.js';
import { judge, problems, type Scene } from './support.js';

const CONTROLLERS = { controllers: 'cpuset cpu io memory hugetlb pids rdma misc\n' };
const kubelet = (fields: object) =>
  config({
    kubelet: { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', ...fields },
  });

describe('OperatingSystem', () => {
  it.each<[string, Scene['facts'], string[]]>([
    ['Debian 12', {}, []],
    ['Rocky 9', { os: { id: 'rocky', versionId: '9.4', prettyName: 'Rocky Linux 9.4' } }, []],
    [
      'Ubuntu 18.04',
      { os: { id: 'ubuntu', versionId: '18.04', prettyName: 'Ubuntu 18.04' } },
      ['warning OperatingSystem'],
    ],
    [
      'an unknown one',
      { os: { id: 'void', versionId: '', prettyName: 'Void' } },
      ['warning OperatingSystem'],
    ],
  ])('judges %s', (_, facts, expected) => {
    expect(problems(judge(operatingSystem, { facts: facts ?? {} }))).toEqual(expected);
  });
});

describe('Architecture', () => {
  it('wants that of the bundle', () => {
    expect(problems(judge(architecture))).toEqual([]);
    expect(problems(judge(architecture, { facts: { architecture: 'aarch64' } }))).toEqual([
      'error Architecture',
    ]);
  });
});

describe('Systemd', () => {
  it('must be installed and running', () => {
    expect(problems(judge(systemd, { probes: { running: 'yes\n' } }))).toEqual([]);
    expect(problems(judge(systemd, { probes: { running: '' } }))).toEqual(['error Systemd']);
    expect(problems(judge(systemd, { facts: { systemd: 0 }, probes: { running: '' } }))).toEqual([
      'error Systemd',
    ]);
  });
});

describe('IsPrivilegedUser', () => {
  it('wants uid 0', () => {
    expect(problems(judge(privileged, { probes: { uid: '0\n' } }))).toEqual([]);
    expect(problems(judge(privileged, { probes: { uid: '1000\n' } }))).toEqual(['error IsPrivilegedUser']);
  });
});

describe('SystemVerification', () => {
  it.each(['5.4.0-150-generic', '5.15.0', '6.1.0-25-amd64', '10.0.0'])('takes Linux %s', (kernel) => {
    expect(problems(judge(systemVerification, { facts: { kernel }, probes: CONTROLLERS }))).toEqual([]);
  });

  it.each(['4.18.0-553.el8', '5.9.1', '3.10.0'])('warns of Linux %s', (kernel) => {
    const outcomes = judge(systemVerification, { facts: { kernel }, probes: CONTROLLERS });
    expect(problems(outcomes)).toEqual(['warning SystemVerification']);
  });

  it('refuses cgroup v1 unless the kubelet is told to bear it', () => {
    const scene: Scene = {
      facts: { cgroupVersion: 1 },
      probes: { controllers: 'cpu\ncpuset\nmemory\npids\n' },
    };
    expect(problems(judge(systemVerification, scene))).toEqual(['error SystemVerification']);
    const allowed = { ...scene, config: kubelet({ failCgroupV1: false }) };
    expect(problems(judge(systemVerification, allowed))).toEqual(['warning SystemVerification']);
    expect(problems(judge(systemVerification, { ...allowed, member: true }))).toEqual([]);
  });

  it('names controllers that are missing', () => {
    const [outcome] = judge(systemVerification, { probes: { controllers: 'cpu cpuset pids\n' } });
    expect(outcome).toMatchObject({ severity: 'error', message: expect.stringContaining('memory') });
  });
});

describe('NodeIP', () => {
  it('must be an address of the host, where its addresses are known', () => {
    expect(problems(judge(nodeAddress))).toEqual([]);
    expect(problems(judge(nodeAddress, { facts: { addresses: [] } }))).toEqual([]);
    const addresses = [{ interface: 'eth0', address: '172.16.0.5', prefix: 16, mtu: 1500 }];
    expect(problems(judge(nodeAddress, { facts: { addresses } }))).toEqual(['error NodeIP']);
  });
});
