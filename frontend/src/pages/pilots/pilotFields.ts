/* The inputs of the form of a pilot: which place of the API's body each stands for, what it is called, and which
   of them a problem belongs to. Pure. */
import type { Finding } from '../../api/problems';
import { placedAt, type Field, type Placed } from '../../components/fields';
import { OPTIONS, placeMeant } from '../topologies/options';
import { VIT_SETTINGS, widthOf, type Model, type PilotDraft } from './pilotDraft';

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
    ui('spec.waiting', 'new.waiting'),
    ui('spec.data.partition', 'new.partition'),
    ...(draft.partition === 'dirichlet' ? [ui('spec.data.partition.alpha', 'new.alpha')] : []),
    ...(draft.partition === 'shards' ? [ui('spec.data.partition.classes_per_site', 'new.classes')] : []),
    ...(draft.partition === 'column' ? [ui('spec.data.partition.column', 'new.column')] : []),
    ui('spec.data.rows_per_site', draft.partition === 'column' ? 'new.rows_most' : 'new.rows_per_site'),
    ui('spec.data.shift', 'new.shift'),
    ...(draft.shift === 'conditions'
      ? (['rotation', 'contrast', 'brightness', 'noise'] as const).map((name) =>
          ui(`spec.data.shift.${name}`, `new.${name}`),
        )
      : []),
    ui('spec.model', 'new.model'),
    ...modelFields(draft.model),
    ui('spec.train.init', 'new.init'),
    ui('spec.train.loss', 'new.loss'),
    ui('spec.train.keep_momentum', 'new.momentum'),
    ui('spec.merge.wire.numbers', 'new.numbers'),
    ui('spec.merge.wire.deltas', 'new.packing'),
    ui('spec.rounds', 'new.rounds'),
    ui('spec.train.epochs', 'new.epochs'),
    ui('spec.seeds', 'new.seeds'),
    ...timetableFields(draft.timetable.every),
    ui('spec.silent.policy', 'new.silent'),
    ui('spec.silent.limit_s', 'new.silent_limit'),
    ui('spec.train.patience', 'new.patience'),
    ui('spec.train.class_weights', 'new.class_weights'),
    ui('spec.train.own_model', 'new.own_model'),
    ui('spec.topology', 'new.topology'),
    ...OPTIONS.map((option) => ui(`spec.topology.${option}`, `topology.${option}`)),
    ...draft.arms.flatMap((_, at): Field[] => [
      { ...ui(`spec.arms.${at}.name`, 'new.arm_name'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.method`, 'method'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.merge.over`, 'new.over'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.merge.ridge_head`, 'new.ending'), arm: at + 1 },
      { ...ui(`spec.arms.${at}.merge`, 'new.merge_every'), arm: at + 1 },
    ]),
    ...(draft.withMoney ? MONEY_FIELDS : []),
  ];
}

function timetableFields(every: PilotDraft['timetable']['every']): Field[] {
  if (every === 'once') return [ui('spec.timetable', 'timetable.every')];
  return [
    ui('spec.timetable.cron', every === 'cron' ? 'timetable.cron' : 'timetable.time'),
    ui('spec.timetable.time_zone', 'timetable.zone'),
  ];
}

function modelFields(model: Model): Field[] {
  if (model === 'mlp') return [ui('spec.model.hidden', 'new.hidden')];
  if (model === 'vit') return VIT_SETTINGS.map((name) => ui(`spec.model.${name}`, `new.vit_${name}`));
  return [ui('spec.model.width', widthOf(model) === 'width' ? 'new.width' : 'new.width_factor')];
}

/** Each problem at its input. */
export function placed(found: readonly Finding[], draft: PilotDraft): Placed[] {
  return placedAt(found, fieldsOf(draft), (finding, path) => blamed(finding, path, draft));
}

/** The arm whose name comes a second time is the one to rename; a name or title alone is the pilot's. */
function blamed(finding: Finding, path: string, draft: PilotDraft): string {
  if (path === 'name' || path === 'title') return `spec.${path}`;
  if (path === 'spec.topology') return placeMeant(finding, path, path);
  if (path !== 'spec.arms' || finding.code !== 'duplicate_name') return path;
  return `spec.arms.${draft.arms.findLastIndex((arm) => arm.name === finding.params.name)}.name`;
}
