import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, etcdMembers, labDown, labUp, onNode, succeed, voters } from '../e2e/support.js';
import { expectNothingToPlan, figure, PLANES, withHosts } from './support.js';

/** Asks CoreDNS for its metrics through its Service every tenth of a second, and notes what failed and how often. */
const CLIENT = `systemd-run --unit=client --collect bash -c '
  while true; do
    if curl -s -m 2 -o /dev/null http://10.96.0.10:9153/metrics; then echo ok; else echo failed; fi
    sleep 0.1
  done > /run/client.log'`;

describe.each(['keepalived-haproxy', 'node-local'])(
  'three control planes and two workers, installed with the endpoint %s',
  (provider) => {
    const name = `longfirst${provider.slice(0, 1)}`;
    let lab: E2eLab;
    let original: string;
    beforeAll(async () => {
      const shape = ['--control-planes', '4', '--workers', '2', '--endpoint', provider];
      lab = await labUp(name, ...shape, '--no-cluster');
      original = readFileSync(lab.clusterFile, 'utf8');
      writeFileSync(lab.clusterFile, withHosts(original, /^cp/, PLANES));
      const began = performance.now();
      await succeed('apply', '-c', lab.clusterFile);
      figure(`apply on 3+2 with ${provider}`, performance.now() - began);
    });
    afterAll(() => labDown(name));

    it('have everything right after the installation', async () => {
      expect(await etcdMembers(lab, 'cp1')).toEqual(voters(...PLANES));
      await expectNothingToPlan(lab);
      await succeed('verify', '-c', lab.clusterFile);
    });

    it('have it right after the first control plane was replaced, too', async () => {
      await onNode(lab, 'w1', CLIENT);
      writeFileSync(lab.clusterFile, original);
      const began = performance.now();
      await succeed('node', 'replace', 'cp1', 'cp4', '-c', lab.clusterFile);
      figure(`node replace cp1 cp4 with ${provider}`, performance.now() - began);
      await expectNothingToPlan(lab);
      // A virtual address was on cp1; whoever was connected to it has to have noticed.
      await succeed('verify', '-c', lab.clusterFile);
      expect(await etcdMembers(lab, 'cp2')).toEqual(voters('cp2', 'cp3', 'cp4'));
      const log = await onNode(lab, 'w1', 'sort /run/client.log | uniq -c');
      expect(log).toMatch(/ ok/);
      expect(log).not.toContain('failed');
    });
  },
);
