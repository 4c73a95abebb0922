import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { generateKey } from '../../../src/pki/keys.js';
import { makeRequest } from '../../../src/pki/make-request.js';
import { readRequest } from '../../../src/pki/request.js';

describe('makeRequest', () => {
  it.each(['ECDSA-P256', 'ECDSA-P384', 'RSA-2048'] as const)(
    'makes requests of %s keys that openssl verifies',
    async (algorithm) => {
      const spec = {
        commonName: 'jane+doe',
        organizations: ['viewers', 'a/b'],
        sans: { dns: ['api.example'], ips: ['10.0.0.1'] },
        usages: ['serverAuth'],
      } as const;
      const pem = await makeRequest(spec, await generateKey(algorithm));
      expect(await readRequest(pem, 'test')).toMatchObject({
        commonName: 'jane+doe',
        organizations: ['viewers', 'a/b'],
        sans: ['dns:api.example', 'ip:10.0.0.1'],
      });
      const { stderr, stdout } = spawnSync('openssl', ['req', '-verify', '-noout', '-text'], { input: pem });
      expect(`${stdout}${stderr}`).toMatch(
        /verify OK[\s\S]*TLS Web Server Authentication|TLS Web Server Authentication[\s\S]*verify OK/,
      );
    },
  );
});
