/* What an entry of the audit says about changed values: `old.<name>` and `new.<name>` in its params. Pure. */
import type { Params } from '../../i18n/named';

export interface Change {
  name: string;
  /** None: there was no value before. */
  before: string | null;
  after: string;
}

export function changesOf(params: Params): Change[] {
  return Object.entries(params)
    .filter(([key]) => key.startsWith('new.'))
    .map(([key, after]) => {
      const name = key.slice('new.'.length);
      const before = params[`old.${name}`];
      return { name, before: before === undefined ? null : String(before), after: String(after) };
    });
}
