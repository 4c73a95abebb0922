import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import {
  CONTROL_PLANE_KUBECTL,
  type E2eLab,
  keelson,
  labDown,
  labNamed,
  labUp,
  onNode,
  succeed,
} from '../e2e/support.js';

/** Asks CoreDNS for its metrics through its Service every tenth of a second, and notes what failed and how often. */
const CLIENT = `systemd-run --unit=client --collect bash -c '
  while true; do
    if curl -s -m 2 -o /dev/null http://10.96.0.10:9153/metrics; then echo ok; else echo failed; fi
    sleep 0.1
  done > /run/client.log'`;

describe('endpoints of a cluster with one control plane and two workers', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2emove', '--workers', '2');
    await onNode(lab, 'w2', CLIENT);
  });
  afterAll(() => labDown('e2emove'));

  /** Sets `spec.endpoint` and applies; then there is nothing to plan, and everybody uses `server`. */
  async function move(endpoint: object | null, server: string): Promise<void> {
    const documents = [...parseAllDocuments(readFileSync(lab.clusterFile, 'utf8'))];
    const cluster = documents.find((document) => document.get('kind') === 'Cluster');
    if (endpoint === null) cluster?.deleteIn(['spec', 'endpoint']);
    else cluster?.setIn(['spec', 'endpoint'], endpoint);
    writeFileSync(lab.clusterFile, documents.map(String).join(''));
    await succeed('apply', '-c', lab.clusterFile);
    const plan = await keelson(['plan', '-c', lab.clusterFile]);
    expect(plan.stdout).toContain('Nothing to change');
    const servers = async (node: string, files: string) =>
      (await onNode(lab, node, `sed -n 's/^ *server: //p' ${files}`)).trim().split('\n');
    for (const node of ['w1', 'w2'])
      expect(await servers(node, '/etc/kubernetes/kubelet.conf')).toEqual([server]);
    const admins = await servers('cp1', '/etc/kubernetes/admin.conf /etc/kubernetes/super-admin.conf');
    expect(admins).toEqual([server, server]);
    const connected = `ss -Htnp state established | grep '"kube-proxy"' | awk '{print $4}' | sort -u`;
    const peer = server.replace('https://', '').replace('api.keelson.internal', address('cp1'));
    for (const node of ['cp1', 'w1']) expect((await onNode(lab, node, connected)).trim()).toBe(peer);
    await succeed('verify', '-c', lab.clusterFile);
  }

  const address = (node: string): string =>
    new RegExp(`name: ${node}[\\s\\S]*?address: (\\S+)`).exec(readFileSync(lab.clusterFile, 'utf8'))?.[1] ??
    '';

  it('are moved one to another and back to none, and no request to a Service fails', async () => {
    const virtual = address('cp1').replace(/\.\d+$/, '.10');
    await move(
      { provider: 'external', address: 'api.keelson.internal' },
      'https://api.keelson.internal:6443',
    );
    await move({ provider: 'node-local' }, 'https://127.0.0.1:7443');
    await move({ provider: 'keepalived-haproxy', address: virtual }, `https://${virtual}:8443`);
    await move({ provider: 'node-local', port: 7444 }, 'https://127.0.0.1:7444');
    await move(null, `https://${address('cp1')}:6443`);
    const left =
      'ls /etc/haproxy/keelson.cfg /etc/keepalived/keelson.conf 2>/dev/null; ss -Htln | grep -E ":(7443|7444|8443|8444) "';
    for (const node of ['cp1', 'w1', 'w2']) expect(await onNode(lab, node, `${left}; true`)).toBe('');
    const log = await onNode(lab, 'w2', 'sort /run/client.log | uniq -c');
    expect(log).toMatch(/ ok/);
    expect(log).not.toContain('failed');
  });

  it('keep their connections while HAProxy is reloaded', async () => {
    await move({ provider: 'node-local' }, 'https://127.0.0.1:7443');
    const watch = `${CONTROL_PLANE_KUBECTL} get --raw '/api/v1/nodes?watch=1&timeoutSeconds=12' > /run/watch.log`;
    const asks = `for i in $(seq 150); do curl -sk -m 2 -o /dev/null https://127.0.0.1:7443/readyz || echo failed; done`;
    const reloads = 'for i in 1 2 3 4 5; do systemctl reload keelson-haproxy; sleep 1; done';
    const began = performance.now();
    const out = await onNode(
      lab,
      'cp1',
      `${watch} & sleep 1; { ${reloads}; } & ${asks}; wait %1 && echo watched; wait`,
    );
    expect(out.trim()).toBe('watched');
    expect(performance.now() - began).toBeGreaterThan(11_000);
  });

  it('are refused where HAProxy does not take the configuration, and the old one stays', async () => {
    await onNode(lab, 'w1', 'groupmod -n former haproxy');
    const broken = await keelson(['apply', '-c', changed('port: 7445'), '--host', 'w1']);
    await onNode(lab, 'w1', 'groupmod -n haproxy former');
    expect(broken.stderr).toContain('/etc/haproxy/keelson.cfg is not valid, and was not put in place');
    expect(broken.exitCode).toBe(3);
    expect(await onNode(lab, 'w1', 'cat /etc/haproxy/keelson.cfg; ls /etc/haproxy')).not.toMatch(
      /7445|\.new/,
    );
    expect((await onNode(lab, 'w1', 'systemctl is-active keelson-haproxy')).trim()).toBe('active');
  });

  it('leave nothing behind when the hosts are reset', async () => {
    await onNode(lab, 'w2', 'systemctl stop client');
    await succeed('reset', '-c', lab.clusterFile, '--yes');
    const traces =
      "systemctl list-units --all --no-legend 'keelson-haproxy*' 'keelson-keepalived*'; ls /etc/haproxy /etc/keepalived /usr/libexec/keepalived /usr/lib/systemd/system 2>/dev/null | grep keelson";
    for (const node of ['cp1', 'w1', 'w2']) expect(await onNode(lab, node, `${traces}; true`)).toBe('');
  });

  /** Another cluster file beside the lab's, with that in its endpoint. */
  function changed(line: string): string {
    const file = `${labNamed(lab.name).directory}/changed.yaml`;
    const text = readFileSync(lab.clusterFile, 'utf8').replace(
      'provider: node-local',
      `provider: node-local\n    ${line}`,
    );
    writeFileSync(file, text);
    return file;
  }
});
