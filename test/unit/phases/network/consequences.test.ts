import { describe, expect, it } from 'vitest';
import { flannelSwitch } from '../../../../src/phases/network/consequences.js';

const conf = (backend: object, more: object = {}) =>
  JSON.stringify({ Network: '10.244.0.0/16', EnableNFTables: false, ...more, Backend: backend });
const VXLAN = { Type: 'vxlan', VNI: 1, Port: 8472, DirectRouting: false };

describe('a change of flannel’s backend', () => {
  it('is none where nothing changes, or where there was no flannel', () => {
    expect(flannelSwitch(conf(VXLAN), conf(VXLAN))).toBeNull();
    expect(flannelSwitch(undefined, conf(VXLAN))).toBeNull();
  });

  it('from vxlan to host-gw leaves connections alone', () => {
    const step = flannelSwitch(conf(VXLAN), conf({ Type: 'host-gw' }));
    expect(step?.title).toBe('vxlan → host-gw');
    expect(step?.disrupts).toBe(false);
    expect(step?.consequences.join('; ')).toContain('connections go on');
    expect(step?.consequences.join('; ')).toContain('keep their MTU until they are made anew');
  });

  it('to a backend with a smaller MTU says that running pods have too large a one', () => {
    const said = (from: object, to: object) => flannelSwitch(conf(from), conf(to))?.consequences.join('; ');
    expect(said({ Type: 'host-gw' }, VXLAN)).toContain('rely on path MTU discovery');
    expect(said(VXLAN, { ...VXLAN, MTU: 1400 })).toContain('rely on path MTU discovery');
    expect(said({ ...VXLAN, MTU: 1400 }, VXLAN)).not.toContain('rely on path MTU discovery');
  });

  it('to another tunnel cuts nodes off from each other until all have it', () => {
    expect(flannelSwitch(conf(VXLAN), conf({ ...VXLAN, VNI: 2 }))?.disrupts).toBe(true);
    expect(flannelSwitch(conf(VXLAN), conf({ ...VXLAN, Port: 4789 }))?.disrupts).toBe(true);
    expect(flannelSwitch(conf(VXLAN), conf({ ...VXLAN, DirectRouting: true }))?.disrupts).toBe(false);
  });

  it('to nftables says what becomes of connections to outside', () => {
    const step = flannelSwitch(conf(VXLAN), conf(VXLAN, { EnableNFTables: true }));
    expect(step?.title).toBe('vxlan → vxlan, nftables');
    expect(step?.consequences.join('; ')).toContain('translated anew');
  });
});
