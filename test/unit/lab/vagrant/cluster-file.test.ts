import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_KUBERNETES_VERSION } from '../../../../src/cli/cache.js';
import { parseClusterConfig } from '../../../../src/config/load.js';
import {
  DEFAULT_SUBNET,
  profileNodes,
  vagrantClusterText,
  withVagrantHosts,
} from '../../../../src/lab/vagrant/cluster-file.js';
import { parseVagrantSshConfig } from '../../../../src/lab/vagrant/ssh-config.js';

const testdata = (name: string) => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');
const profile = (name: string) =>
  readFileSync(new URL(`../../../../vagrant/${name}/cluster.yaml`, import.meta.url), 'utf8');

/** The lab's cluster.yaml as a recorded ssh-config makes it. */
function labFile(name: string, recorded: string, subnet = DEFAULT_SUBNET) {
  const logins = parseVagrantSshConfig(testdata(recorded));
  const nodes = profileNodes(profile(name), subnet).map((node) => ({
    ...node,
    login: logins.find((login) => login.name === node.name) ?? null,
  }));
  const spec = { name: 'demo', subnet, kubernetesVersion: 'v1.35.4', bundle: '/cache/bundle-v1.35.4' };
  return { nodes, text: vagrantClusterText(profile(name), nodes, spec) };
}

describe("a profile's cluster.yaml", () => {
  it.each([
    ['single', 1, 0],
    ['small', 1, 2],
    ['ha', 3, 2],
  ])('%s is valid as it stands, with %i control planes and %i workers', (name, planes, workers) => {
    const config = parseClusterConfig(profile(name), { homeDir: '/home/ann' });
    expect(config.hosts.filter(({ role }) => role === 'control-plane')).toHaveLength(planes);
    expect(config.hosts.filter(({ role }) => role === 'worker')).toHaveLength(workers);
    expect(config.cluster.kubernetesVersion).toBe(DEFAULT_KUBERNETES_VERSION);
  });
});

describe("a Vagrant lab's cluster.yaml", () => {
  it('logs in as Vagrant does and has the machines’ own network for the cluster', () => {
    const config = parseClusterConfig(labFile('ha', 'ssh-config-virtualbox-ha').text, {
      homeDir: '/home/ann',
    });
    expect(config.name).toBe('demo');
    expect(config.spec.bundle).toBe('/cache/bundle-v1.35.4');
    expect(config.cluster.kubernetesVersion).toBe('v1.35.4');
    expect(
      config.hosts.map(({ name, role, ssh, nodeIP }) => [
        name,
        role,
        ssh.address,
        ssh.port,
        ssh.user,
        nodeIP,
      ]),
    ).toEqual([
      ['cp1', 'control-plane', '127.0.0.1', 2222, 'vagrant', '192.168.56.11'],
      ['cp2', 'control-plane', '127.0.0.1', 2200, 'vagrant', '192.168.56.12'],
      ['cp3', 'control-plane', '127.0.0.1', 2201, 'vagrant', '192.168.56.13'],
      ['w1', 'worker', '127.0.0.1', 2202, 'vagrant', '192.168.56.21'],
      ['w2', 'worker', '127.0.0.1', 2203, 'vagrant', '192.168.56.22'],
    ]);
    expect(config.hosts[3]?.ssh.identityFile).toBe(
      '/home/ann/k8s/.keelson/lab/demo/vagrant/machines/w1/virtualbox/private_key',
    );
  });

  it('has libvirt’s management addresses for SSH, and another network where one was asked for', () => {
    const { text } = labFile('small', 'ssh-config-libvirt-small', '10.66.0.0/24');
    const config = parseClusterConfig(text, { homeDir: '/home/ann' });
    expect(config.hosts.map(({ ssh, nodeIP }) => [ssh.address, nodeIP])).toEqual([
      ['192.168.121.34', '10.66.0.11'],
      ['192.168.121.187', '10.66.0.21'],
      ['192.168.121.9', '10.66.0.22'],
    ]);
    expect(text).not.toContain('192.168.56.');
  });

  it('lets pods run on the machine of the single profile', () => {
    const config = parseClusterConfig(labFile('single', 'ssh-config-virtualbox-single').text, {
      homeDir: '/home/ann',
    });
    expect(config.hosts[0]?.nodeRegistration.taints).toEqual([]);
  });

  it('stays as its user wrote it but for logins that changed', () => {
    const { nodes, text } = labFile('ha', 'ssh-config-virtualbox-ha');
    const edited = text.replace('backend: vxlan', 'backend: host-gw # mine');
    expect(withVagrantHosts(edited, nodes)).toBe(edited);
    const moved = nodes.map((node) =>
      node.name === 'cp2' && node.login !== null ? { ...node, login: { ...node.login, port: 2299 } } : node,
    );
    expect(withVagrantHosts(edited, moved)).toBe(edited.replace('port: 2200', 'port: 2299'));
  });
});
