/** Names in a line; of more only how many they are. */
const SHOWN = 8;

const ADDRESS = /(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\[[0-9a-f:]+\](?::\d+)?/gi;

/**
 * Failures as lines, those with one cause together and the most frequent first. Messages that differ in the host's
 * name or address only are one cause, shown with `*` in their place.
 */
export function groupedLines(failures: readonly { who: string; message: string }[]): string[] {
  const groups = new Map<string, { who: string[]; messages: Set<string> }>();
  for (const { who, message } of failures) {
    const text = message.replace(ADDRESS, '*');
    const cause = who === '' ? text : text.replaceAll(who, '*');
    const group = groups.get(cause);
    if (group === undefined) groups.set(cause, { who: [who], messages: new Set([message]) });
    else {
      group.who.push(who);
      group.messages.add(message);
    }
  }
  return [...groups]
    .sort(([, a], [, b]) => b.who.length - a.who.length)
    .map(([cause, { who, messages }]) => {
      const names = [...new Set(who)];
      const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
      const [message = cause] = messages;
      return `${names.slice(0, SHOWN).join(', ')}${more}: ${messages.size === 1 ? message : cause}`;
    });
}
