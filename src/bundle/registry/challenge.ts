/** What a registry asks for in WWW-Authenticate. */
export type Challenge =
  | { scheme: 'basic' }
  | { scheme: 'bearer'; realm: string; service: string | null; scope: string | null };

/** Reads the header's first challenge that keelson can answer; null for none. */
export function parseChallenge(header: string | undefined): Challenge | null {
  const match = /^\s*(basic|bearer)\b(.*)$/i.exec(header ?? '');
  if (match === null) return null;
  if (match[1]?.toLowerCase() === 'basic') return { scheme: 'basic' };
  const fields = new Map<string, string>();
  for (const [, name = '', quoted, plain] of (match[2] ?? '').matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g))
    fields.set(name.toLowerCase(), quoted ?? plain ?? '');
  const realm = fields.get('realm');
  if (realm === undefined) return null;
  return {
    scheme: 'bearer',
    realm,
    service: fields.get('service') ?? null,
    scope: fields.get('scope') ?? null,
  };
}
