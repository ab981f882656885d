"""The objects of the stand-in org: their fields, and how `describe` shows them.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SOAP_TYPES = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "double": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "address": "urn:address",
}  # fmt: skip
_LENGTHS = {"id": 18, "reference": 18, "boolean": 0, "double": 0, "date": 0, "datetime": 0, "address": 0, "email": 80, "phone": 40}
_NUMBERS = ("double",)

_AUDIT = (
    "CreatedDate:datetime!- CreatedById:reference/User!- LastModifiedDate:datetime!- LastModifiedById:reference/User!-"
    " SystemModstamp:datetime!-"
)


def _address(kind: str) -> str:
    return (
        f"{kind}Street:textarea/255 {kind}City:string/40 {kind}State:string/80 {kind}PostalCode:string/20 {kind}Country:string/80"
        f" {kind}Latitude:double {kind}Longitude:double {kind}GeocodeAccuracy:picklist/40 {kind}Address:address-"
    )


# name:type, then /length or /objects referred to, "!" where it must have a value, "-" where only Salesforce sets it, "=" for a formula.
_CONTACT = (
    "Id:id!- IsDeleted:boolean!- MasterRecordId:reference/Contact- AccountId:reference/Account LastName:string/80! FirstName:string/40"
    f" Salutation:picklist/40 Name:string/121!- {_address('Other')} {_address('Mailing')} Phone:phone Fax:phone MobilePhone:phone"
    " HomePhone:phone OtherPhone:phone AssistantPhone:phone ReportsToId:reference/Contact Email:email Title:string/128"
    " Department:string/80 AssistantName:string/40 LeadSource:picklist/255 Birthdate:date Description:textarea/32000"
    f" OwnerId:reference/User! {_AUDIT} LastActivityDate:date- LastCURequestDate:datetime- LastCUUpdateDate:datetime-"
    " LastViewedDate:datetime- LastReferencedDate:datetime- EmailBouncedReason:string/255 EmailBouncedDate:datetime"
    " IsEmailBounced:boolean!- PhotoUrl:url/255- Jigsaw:string/20 JigsawContactId:string/20- CleanStatus:picklist/40"
    " IndividualId:reference/Individual Threadline_Id__c:string/26"
    " Vip__c:boolean! Lifetime_Value__c:double Last_Survey__c:datetime Loyalty_Tier__c:string/1300="
)
_CASE = (
    "Id:id!- IsDeleted:boolean!- MasterRecordId:reference/Case- CaseNumber:string/30!- ContactId:reference/Contact"
    " AccountId:reference/Account AssetId:reference/Asset ParentId:reference/Case SuppliedName:string/80 SuppliedEmail:email"
    " SuppliedPhone:string/40 SuppliedCompany:string/80 Type:picklist/40 Status:picklist/40 Reason:picklist/40 Origin:picklist/40"
    " Subject:string/255 Priority:picklist/40 Description:textarea/32000 IsClosed:boolean!- ClosedDate:datetime- IsEscalated:boolean!"
    f" OwnerId:reference/Group+User! {_AUDIT} ContactPhone:phone- ContactMobile:phone- ContactEmail:email- ContactFax:phone-"
    " Comments:textarea/4000 LastViewedDate:datetime- LastReferencedDate:datetime- Order_Number__c:string/40"
)
_PICKLISTS = {
    "Status": ("New", "Working", "Escalated", "Closed"),
    "Origin": ("Phone", "Email", "Web", "Chat"),
    "Priority": ("High", "Medium", "Low"),
    "Salutation": ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof."),
}
EXTERNAL_IDS = ("Threadline_Id__c",)

_FALSE = (
    "aiPredictionField", "autoNumber", "calculated", "cascadeDelete", "caseSensitive", "dependentPicklist", "deprecatedAndHidden",
    "displayLocationInDecimal", "encrypted", "formulaTreatNullNumberAsZero", "highScaleNumber", "htmlFormatted", "namePointing",
    "polymorphicForeignKey", "restrictedDelete", "restrictedPicklist", "searchPrefilterable", "writeRequiresMasterRead",
)  # fmt: skip
_NULL = (
    "calculatedFormula", "compoundFieldName", "controllerName", "defaultValueFormula", "extraTypeInfo", "filteredLookupInfo",
    "inlineHelpText", "mask", "maskType", "referenceTargetField", "relationshipOrder",
)  # fmt: skip
_OBJECT_TRUE = (
    "compactLayoutable", "createable", "deletable", "feedEnabled", "layoutable", "queryable", "replicateable", "retrieveable",
    "searchLayoutable", "searchable", "triggerable", "undeletable", "updateable", "mruEnabled",
)  # fmt: skip
_OBJECT_FALSE = (
    "activateable", "custom", "customSetting", "deepCloneable", "deprecatedAndHidden", "hasSubtypes", "isInterface", "isSubtype",
)  # fmt: skip
_OBJECT_NULL = (
    "associateEntityType", "associateParentEntity", "defaultImplementation", "extendedBy", "extendsInterfaces", "implementedBy",
    "implementsInterfaces", "listviewable", "lookupLayoutable", "networkScopeFieldName",
)  # fmt: skip
_OBJECT_EMPTY = (
    "actionOverrides", "childRelationships", "namedLayoutInfos", "recordTypeInfos", "supportedScopes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `length` is in characters, 0 where the type has none."""

    name: str
    type: str
    length: int
    refers_to: tuple[str, ...]
    required: bool
    writable: bool
    calculated: bool = False
    """Whether a formula gives its value, which no date of the record tells of."""

    def describe(self) -> dict[str, Any]:
        """Return it as `describe` lists it."""
        plain = self.type not in ("address", "textarea") or 0 < self.length <= 255
        custom = self.name.endswith("__c")
        return {
            **dict.fromkeys(_FALSE, False),
            **dict.fromkeys(_NULL, None),
            "aggregatable": plain and self.type != "boolean",
            "calculated": self.calculated,
            "byteLength": self.length * (1 if self.type in ("id", "reference") else 3),
            "createable": self.writable,
            "custom": custom,
            "defaultValue": False if self.type == "boolean" else None,
            "defaultedOnCreate": self.required and not (self.writable and self.name == "LastName"),
            "digits": 0,
            "externalId": self.name in EXTERNAL_IDS,
            "filterable": plain or self.type == "address",
            "groupable": plain and self.type not in ("double", "datetime"),
            "idLookup": self.type in ("id", "email") or self.name in EXTERNAL_IDS,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "length": self.length,
            "name": self.name,
            "nameField": self.name in ("Name", "CaseNumber"),
            "nillable": not self.required,
            "permissionable": self.writable and not self.required,
            "picklistValues": [_picklist_value(value) for value in _PICKLISTS.get(self.name, ())],
            "precision": 18 if self.type in _NUMBERS else 0,
            "queryByDistance": self.type == "address",
            "referenceTo": list(self.refers_to),
            "relationshipName": self.name.removesuffix("Id") if self.refers_to else None,
            "scale": 15 if self.type in _NUMBERS else 0,
            "soapType": _SOAP_TYPES.get(self.type, "xsd:string"),
            "sortable": plain,
            "type": self.type,
            "unique": self.name in EXTERNAL_IDS,
            "updateable": self.writable,
        }


def _picklist_value(value: str) -> dict[str, Any]:
    return {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}


@dataclass(frozen=True, slots=True)
class SObject:
    """One object: its name, the first three characters of its ids, and its fields by lower-case name."""

    name: str
    prefix: str
    fields: Mapping[str, Field]

    def field(self, name: str) -> Field | None:
        """Find a field; names do not tell case apart."""
        return self.fields.get(name.lower())

    def blank(self) -> dict[str, Any]:
        """Return a record without values."""
        return {field.name: False if field.type == "boolean" else None for field in self.fields.values()}

    def describe(self, version: str) -> dict[str, Any]:
        """Return what the describe resource answers."""
        base = f"/services/data/v{version}/sobjects/{self.name}"
        return {
            **dict.fromkeys(_OBJECT_TRUE, True),
            **dict.fromkeys(_OBJECT_FALSE, False),
            **dict.fromkeys(_OBJECT_NULL, None),
            **{name: [] for name in _OBJECT_EMPTY},
            "fields": [field.describe() for field in self.fields.values()],
            "keyPrefix": self.prefix,
            "label": self.name,
            "labelPlural": f"{self.name}s",
            "mergeable": self.name == "Contact",
            "name": self.name,
            "sobjectDescribeOption": "FULL",
            "urls": {
                "sobject": base,
                "describe": f"{base}/describe",
                "rowTemplate": f"{base}/{{ID}}",
                "layouts": f"{base}/describe/layouts",
            },
        }


def _field(text: str) -> Field:
    name, _, rest = text.partition(":")
    required, writable = "!" in rest, not rest.endswith(("-", "="))
    kind, _, size = rest.rstrip("-!=").partition("/")
    length = int(size) if size.isdigit() else _LENGTHS.get(kind, 255)
    return Field(name, kind, length, tuple(size.split("+")) if kind == "reference" else (), required, writable, rest.endswith("="))


def _sobject(name: str, prefix: str, text: str) -> SObject:
    return SObject(name, prefix, {field.name.lower(): field for field in map(_field, text.split())})


SOBJECTS: Mapping[str, SObject] = {"contact": _sobject("Contact", "003", _CONTACT), "case": _sobject("Case", "500", _CASE)}
"""By lower-case name."""
