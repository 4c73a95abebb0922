import { describe, expect, it } from 'vitest';
import { healthIn } from '../../../src/cluster/component-health.js';

describe('healthIn', () => {
  it('is ok only for an answer with status 200', () => {
    expect(healthIn('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok')).toBe('ok');
    expect(healthIn('HTTP/1.0 500 Internal Server Error\r\n\r\n[-]x failed')).toBe(
      'HTTP/1.0 500 Internal Server Error',
    );
  });

  it('tells a connection that is closed without a word', () => {
    expect(healthIn('')).toBe('it closes the connection');
  });
});
