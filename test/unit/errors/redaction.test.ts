import { describe, expect, it } from 'vitest';
import { redact } from '../../../src/errors/redaction.js';

describe('redact', () => {
  it.each([
    ['a bootstrap token', 'join with abcdef.0123456789abcdef now', 'join with <redacted> now'],
    ['a password of YAML', 'password: correct-horse', 'password: <redacted>'],
    ['a key of a kubeconfig', 'client-key-data: LS0tLS1CRUdJTg==', 'client-key-data: <redacted>'],
    ['a bearer token', 'Authorization: Bearer abc.def.ghi-jkl', 'Authorization: Bearer <redacted>'],
  ])('masks %s', (_, text, masked) => {
    expect(redact(text)).toBe(masked);
  });

  it('masks secrets that it is given, and not those too short to mean anything', () => {
    expect(redact('the word is hunter22, or abc', ['hunter22', 'abc'])).toBe(
      'the word is <redacted>, or abc',
    );
  });

  it('leaves what a plan has masked, which says more', () => {
    const text = '-  password: <masked>\n+  password: <masked, another value>';
    expect(redact(text)).toBe(text);
  });
});
