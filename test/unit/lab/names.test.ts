import { describe, expect, it } from 'vitest';
import {
  assertLabName,
  bridgeName,
  cableName,
  isLabInterface,
  labTag,
  machineName,
  nodeName,
  parseMachineName,
  parseNodeName,
} from '../../../src/lab/names.js';

describe('names of a lab', () => {
  it.each(['lab', 'a', 'my-lab-2', 'x'.repeat(30)])('accepts %s', (name) => {
    expect(() => assertLabName(name)).not.toThrow();
  });

  it.each(['', 'Lab', '1lab', 'lab-', 'a/b', '..', 'x'.repeat(31)])('refuses %j as a usage error', (name) => {
    expect(() => assertLabName(name)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('makes interface names that the kernel takes: at most 15 characters', () => {
    for (const lab of ['a', 'lab', 'demo', 'x'.repeat(30)]) {
      for (const node of ['cp1', 'cp9', 'w1', 'w99', 'etcd6']) {
        expect(cableName(lab, node).length).toBeLessThanOrEqual(15);
      }
      expect(bridgeName(lab)).toMatch(/^keelson-/);
    }
  });

  it('keeps a short lab name readable in its interfaces', () => {
    expect([bridgeName('lab'), cableName('lab', 'cp1')]).toEqual(['keelson-lab', 'keelson-lab-cp1']);
  });

  it('gives labs with long names different tags of three characters', () => {
    expect(labTag('demo-one')).toMatch(/^[0-9a-z]{3}$/);
    expect(labTag('demo-one')).not.toBe(labTag('demo-two'));
  });

  it('tells its own interfaces from those of others', () => {
    expect(isLabInterface('lab', 'keelson-lab')).toBe(true);
    expect(isLabInterface('lab', 'keelson-lab-w12')).toBe(true);
    expect(isLabInterface('lab', cableName('lab', 'etcd3'))).toBe(true);
    expect(isLabInterface('lab', 'keelson-la')).toBe(false);
    expect(isLabInterface('la', 'keelson-lab-cp1')).toBe(false);
    expect(isLabInterface('lab', 'keelson-lab-x1')).toBe(false);
  });

  it('reads machine names back, also of labs whose name looks like a node', () => {
    expect(parseMachineName(machineName('lab', 'cp1'))).toEqual({ lab: 'lab', node: 'cp1' });
    expect(parseMachineName(machineName('a-cp1', 'w2'))).toEqual({ lab: 'a-cp1', node: 'w2' });
    expect(parseMachineName('debian')).toBeNull();
  });

  it('reads node names back', () => {
    expect(parseNodeName(nodeName('control-plane', 3))).toEqual({ role: 'control-plane', index: 3 });
    expect(parseNodeName(nodeName('worker', 12))).toEqual({ role: 'worker', index: 12 });
    expect(parseNodeName(nodeName('etcd', 2))).toEqual({ role: 'etcd', index: 2 });
    expect(parseMachineName(machineName('lab', 'etcd2'))).toEqual({ lab: 'lab', node: 'etcd2' });
    expect(parseNodeName('w0')).toBeNull();
    expect(parseNodeName('web')).toBeNull();
  });
});
