/* Codes that travel as values, as people of a language call them: kinds of steps, roles, things, states, sites. */
import type { i18n as I18n } from 'i18next';

export type Param = string | number | boolean | null | undefined;
export type Params = Readonly<Record<string, Param>>;

const TABLES: Readonly<Record<string, string>> = {
  kind: 'ui.step_kind',
  cause: 'ui.cause',
  role: 'ui.role',
  side: 'ui.side',
  thing: 'things',
  part: 'timetables.parts',
};
// Whose state a problem tells where it does not say so itself.
const STATE_OF: Readonly<Record<string, string>> = {
  pilot_launched: 'pilot',
  pilot_already_launched: 'pilot',
  pilot_not_launched: 'pilot',
  run_has_ended: 'run',
  restart_while_at_work: 'run',
};
const SITES: Readonly<Record<string, readonly string[]>> = {
  data_changed: ['site'],
  mixing_negative: ['a', 'b'],
  mixing_off_link: ['a', 'b'],
  mixing_row_sum: ['name'],
  non_finite_data: ['site'],
  non_finite_params: ['site'],
  site_data_differs: ['name'],
  site_revoked: ['name'],
  too_few_rows: ['site'],
  topology_disconnected: ['a', 'b'],
  topology_self_link: ['name'],
};

/** `params` of the text `code`. `site`: what people call a site of that name. */
export function named(
  code: string,
  params: Params,
  i18n: Pick<I18n, 'exists' | 't'>,
  site?: (name: string) => string,
): Record<string, Param> {
  const found: Record<string, Param> = { ...params };
  const say = (name: string, table: string) => {
    const key = `${table}.${String(params[name])}`;
    if (params[name] !== undefined && i18n.exists(key)) found[name] = i18n.t(key);
  };
  for (const [name, table] of Object.entries(TABLES)) say(name, table);
  const of = STATE_OF[code] ?? params.thing;
  for (const name of ['state', 'following']) {
    say(name, `states.${String(of)}`);
    // Within a sentence; by itself it is the word of a badge.
    const said = found[name];
    if (typeof said === 'string') found[name] = said.slice(0, 1).toLowerCase() + said.slice(1);
  }
  for (const name of site ? (SITES[code] ?? []) : []) found[name] = site?.(String(params[name]));
  return found;
}
