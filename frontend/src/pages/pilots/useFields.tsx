/* What each input of the form of a pilot is called, its id, and the problem that is said at it. */
import { useTranslation } from 'react-i18next';
import { findings } from '../../api/problems';
import { Icon } from '../../components/Icon';
import type { PilotDraft } from './pilotDraft';
import { fieldId, placed, type Field, type Placed } from './pilotFields';

export interface Fields {
  /** Spread into the input of this place. */
  at: (path: string) => { id: string; error: string | undefined };
  problems: readonly Placed[];
}

export function useFields(error: unknown, draft: PilotDraft, site?: (name: string) => string): Fields {
  const problems = placed(findings(error, site), draft);
  return {
    at: (path) => ({
      id: fieldId(path),
      error: problems.find((one) => one.field?.path === path)?.finding.sentence,
    }),
    problems: problems.filter((one) => one.finding.field !== null),
  };
}

/** All problems of a form, each with a link to its input. */
export function ProblemList({ problems }: { problems: readonly Placed[] }) {
  const { t } = useTranslation();
  const name = (field: Field) =>
    [...(field.arm ? [t('ui.new.arm_number', { number: field.arm })] : []), t(field.label)].join(' · ');
  return (
    <div className="aw-note aw-bad" role="alert">
      <Icon name="warn" />
      <div>
        <strong>{t('ui.new.to_correct', { number: problems.length })}</strong>
        <ul className="aw-problems">
          {problems.map(({ field, finding }) => (
            <li key={`${finding.field} ${finding.code}`}>
              {field ? (
                <a href={`#${fieldId(field.path)}`} onClick={focus}>
                  {name(field)}
                </a>
              ) : (
                <code>{finding.field}</code>
              )}
              <span>{finding.sentence}</span>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

/** The input itself gets the focus, clear of the header; the address stays that of the page. */
function focus(event: React.MouseEvent<HTMLAnchorElement>): void {
  event.preventDefault();
  const input = document.getElementById(event.currentTarget.hash.slice(1));
  input?.focus({ preventScroll: true });
  input?.scrollIntoView({ block: 'center' });
}
