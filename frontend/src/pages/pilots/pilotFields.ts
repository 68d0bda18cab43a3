/* The inputs of the form of a pilot: which place of the API's body each stands for, what it is called, and which
   of them a problem belongs to. Pure. */
import type { Finding } from '../../api/problems';
import type { PilotDraft } from './pilotDraft';

/** `path`: dotted place in the body. `label`: key of the catalogue. `arm`: number of the arm it belongs to. */
export interface Field {
  path: string;
  label: string;
  arm?: number;
}
export interface Placed {
  field: Field | null;
  finding: Finding;
}
const VALUE = 'assumptions.value_per_correct_decision';

const ui = (path: string, label: string): Field => ({ path, label: `ui.${label}` });

/** The business assumptions. */
export const MONEY_FIELDS: readonly Field[] = [
  ui('assumptions.value_basis', 'new.basis'),
  ui('assumptions.currency', 'new.currency'),
  ui('assumptions.decisions_per_site_per_round', 'new.decisions'),
  ui(`${VALUE}.low`, 'new.value_low'),
  ui(`${VALUE}.likely`, 'new.value_likely'),
  ui(`${VALUE}.high`, 'new.value_high'),
  ui('assumptions.one_off_cost', 'new.one_off'),
  ui('assumptions.running_cost_per_site_per_round', 'new.running'),
  ui('assumptions.cost_per_cpu_hour', 'new.cpu_hour'),
  ui('assumptions.cost_per_gpu_hour', 'new.gpu_hour'),
  ui('assumptions.cost_per_gb', 'new.gb'),
  ui('assumptions.round_days', 'new.round_days'),
];

/** The inputs that the form shows, from top to bottom. */
export function fieldsOf(draft: PilotDraft): Field[] {
  return [
    ui('spec.title', 'new.title'),
    ui('spec.name', 'new.name'),
    ui('spec.sites', 'nav.sites'),
    ui('spec.data.partition', 'new.partition'),
    ...(draft.partition === 'dirichlet' ? [ui('spec.data.partition.alpha', 'new.alpha')] : []),
    ...(draft.partition === 'shards' ? [ui('spec.data.partition.classes_per_site', 'new.classes')] : []),
    ui('spec.data.rows_per_site', 'new.rows_per_site'),
    ui('spec.model', 'new.model'),
    draft.model === 'mlp'
      ? ui('spec.model.hidden', 'new.hidden')
      : ui('spec.model.width', draft.model === 'cnn' ? 'new.width' : 'new.width_factor'),
    ui('spec.train.init', 'new.init'),
    ui('spec.train.loss', 'new.loss'),
    ui('spec.train.keep_momentum', 'new.momentum'),
    ui('spec.merge.wire.numbers', 'new.numbers'),
    ui('spec.rounds', 'new.rounds'),
    ui('spec.train.epochs', 'new.epochs'),
    ui('spec.seeds', 'new.seeds'),
    ui('spec.topology', 'new.topology'),
    ...draft.arms.flatMap((_, at): Field[] => [
      { ...ui(`spec.arms.${at}.name`, 'new.arm_name'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.method`, 'method'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.merge.over`, 'new.over'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.merge`, 'new.merge_every'), arm: at + 1 },
    ]),
    ...(draft.withMoney ? MONEY_FIELDS : []),
  ];
}

/** Each problem at its input, in the order of the form, one for each input; those of no input last. */
export function placed(found: readonly Finding[], draft: PilotDraft): Placed[] {
  const fields = fieldsOf(draft);
  const all = found.map((finding): Placed => ({ field: fieldOf(finding, fields, draft), finding }));
  const first = all.filter(
    ({ field }, at) => field === null || all.findIndex((other) => other.field === field) === at,
  );
  const place = ({ field }: Placed) => (field ? fields.indexOf(field) : fields.length);
  return first.sort((a, b) => place(a) - place(b));
}

export function fieldId(path: string): string {
  return `field-${path.replaceAll('.', '-')}`;
}

function fieldOf(finding: Finding, fields: readonly Field[], draft: PilotDraft): Field | null {
  if (finding.field === null) return null;
  const path = blamed(finding, finding.field, draft);
  const above = fields.filter((field) => path === field.path || path.startsWith(`${field.path}.`));
  const closest = above.sort((a, b) => b.path.length - a.path.length)[0];
  // A place that no input stands for alone (low, likely and high together): the first of what lies in it.
  return closest ?? fields.find((field) => field.path.startsWith(`${path}.`)) ?? null;
}

/** The arm whose name comes a second time is the one to rename; a name or title alone is the pilot's. */
function blamed(finding: Finding, path: string, draft: PilotDraft): string {
  if (path === 'name' || path === 'title') return `spec.${path}`;
  if (path !== 'spec.arms' || finding.code !== 'duplicate_name') return path;
  return `spec.arms.${draft.arms.findLastIndex((arm) => arm.name === finding.params.name)}.name`;
}
