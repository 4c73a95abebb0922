import { describe, expect, it } from 'vitest';
import { type ServingRequest, servingFaults } from '../../../src/pki/kubelet-serving.js';

const NODE = { name: 'w1', names: ['W1.example'], addresses: ['10.0.0.2', 'fd00::2'] };

function request(
  asked: Partial<ServingRequest['asked']> = {},
  more: Partial<Omit<ServingRequest, 'asked'>> = {},
): ServingRequest {
  return {
    username: 'system:node:w1',
    groups: ['system:nodes', 'system:authenticated'],
    usages: ['digital signature', 'server auth'],
    ...more,
    asked: {
      commonName: 'system:node:w1',
      organizations: ['system:nodes'],
      sans: ['dns:w1', 'dns:w1.example', 'ip:10.0.0.2', 'ip:FD00:0::2'],
      publicKey: { rawData: new ArrayBuffer(0) },
      ...asked,
    },
  };
}

describe('a kubelet’s request for a serving certificate', () => {
  it('is approved for what its host has', () => {
    expect(servingFaults(request(), NODE)).toEqual([]);
    expect(
      servingFaults(request({}, { usages: ['digital signature', 'key encipherment', 'server auth'] }), NODE),
    ).toEqual([]);
  });

  it.each<[string, ServingRequest, RegExp]>([
    [
      'names another host’s address',
      request({ sans: ['dns:w1', 'ip:10.0.0.1'] }),
      /does not have ip:10\.0\.0\.1/,
    ],
    [
      'names the API',
      request({ sans: ['dns:w1', 'dns:kubernetes.default.svc'] }),
      /dns:kubernetes\.default\.svc/,
    ],
    ['names a mail address', request({ sans: ['dns:w1', 'email:w1'] }), /email:w1/],
    ['names nothing', request({ sans: [] }), /neither name nor address/],
    ['asks to be another node', request({ commonName: 'system:node:cp1' }), /asks to be system:node:cp1/],
    ['asks for another group', request({ organizations: ['system:masters'] }), /groups system:masters/],
    ['asks for a second group', request({ organizations: ['system:nodes', 'system:masters'] }), /groups/],
    ['was sent by another node', request({}, { username: 'system:node:w2' }), /sent by system:node:w2/],
    ['was sent by no node', request({}, { groups: ['system:authenticated'] }), /no node/],
    ['is for clients too', request({}, { usages: ['server auth', 'client auth'] }), /usages client auth/],
    ['is not for serving', request({}, { usages: ['digital signature'] }), /not for serving/],
  ])('is not approved where it %s', (_what, asked, fault) => {
    expect(servingFaults(asked, NODE).join('; ')).toMatch(fault);
  });
});
