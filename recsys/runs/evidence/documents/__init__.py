"""Numbers of the committed records in documents: quoted in prose, and in the generated findings."""
