/* The same links as a table of checkboxes: exact, and by keyboard. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { SearchSelect } from '../../components/SearchSelect';
import { hasLink, type Link } from './links';

interface Props {
  names: readonly string[];
  shown: (name: string) => string;
  links: readonly Link[];
  onToggle: (a: string, b: string) => void;
}
const WHOLE_UP_TO = 16;

export function Matrix(props: Props) {
  return props.names.length <= WHOLE_UP_TO ? <Whole {...props} /> : <OneByOne {...props} />;
}

function Whole({ names, shown, links, onToggle }: Props) {
  const { t } = useTranslation();
  return (
    <div className="aw-numbers" role="region" aria-label={t('ui.topology.matrix')} tabIndex={0}>
      <table className="aw-matrix">
        <caption className="aw-visually-hidden">{t('ui.topology.matrix')}</caption>
        <thead>
          <tr>
            <td />
            {names.map((name) => (
              <th key={name} scope="col">
                <span>{shown(name)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((row) => (
            <tr key={row}>
              <th scope="row">{shown(row)}</th>
              {names.map((column) => (
                <td key={column}>
                  {row === column ? (
                    <span aria-hidden="true">·</span>
                  ) : (
                    <input
                      type="checkbox"
                      checked={hasLink(links, row, column)}
                      onChange={() => onToggle(row, column)}
                      aria-label={t('ui.topology.link_of', { a: shown(row), b: shown(column) })}
                    />
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** For many sites: the links of one chosen site. */
function OneByOne({ names, shown, links, onToggle }: Props) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState(names[0] ?? '');
  return (
    <div className="aw-stack">
      <SearchSelect
        label={t('ui.topology.links_of')}
        data={names.map((name) => ({ value: name, label: shown(name) }))}
        value={chosen}
        onChange={setChosen}
      />
      <div className="aw-checks">
        {names
          .filter((name) => name !== chosen)
          .map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={hasLink(links, chosen, name)}
                onChange={() => onToggle(chosen, name)}
              />
              {shown(name)}
            </label>
          ))}
      </div>
    </div>
  );
}
