/* All problems of a form, each with a link to its input. */
import { useTranslation } from 'react-i18next';
import { fieldId, type Field, type Placed } from './fields';
import { Icon } from './Icon';

export function ProblemList({ problems }: { problems: readonly Placed[] }) {
  const { t } = useTranslation();
  const name = (field: Field) =>
    [...(field.arm ? [t('ui.new.arm_number', { number: field.arm })] : []), t(field.label)].join(' · ');
  return (
    <div className="aw-note aw-bad aw-quiet-focus" role="alert" tabIndex={-1}>
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
